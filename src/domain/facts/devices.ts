import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import type { LivePort } from "./device-parts.ts";
import type { LiveReader } from "./live.ts";

/** Drivers of ports for one PCI Express device each. */
const PORT = /root-port|ioh3420|downstream/;

/** Reads the devices of a running machine that have an id, and its ports if it has some. */
export const readDevices: LiveReader = async (session) => {
  const devices = await devicesOf(session);
  const hasPorts = [...devices.values()].some((driver) => PORT.test(driver));
  return { devices, ...(hasPorts ? { ports: await portsOf(session, devices) } : {}) };
};

/** The devices that have an id, and their drivers. @throws the session's errors */
export async function devicesOf(session: Session): Promise<ReadonlyMap<string, string>> {
  const found = (await orNull(session.execute("qom-list", { path: "/machine/peripheral" }))) ?? [];
  return new Map(
    found.flatMap(({ name, type }) => {
      const driver = /^child<(.+)>$/.exec(type)?.[1];
      return driver === undefined ? [] : [[name, driver] as const];
    }),
  );
}

interface PciDevice {
  readonly qdev_id: string;
  readonly pci_bridge?: { readonly devices?: readonly PciDevice[] | undefined } | undefined;
}

async function portsOf(session: Session, drivers: ReadonlyMap<string, string>): Promise<readonly LivePort[]> {
  const buses = (await orNull(session.execute("query-pci"))) ?? [];
  const all = (devices: readonly PciDevice[]): readonly PciDevice[] =>
    devices.flatMap((device) => [device, ...all(device.pci_bridge?.devices ?? [])]);
  const onBus = await busesOf(session, [...drivers.keys()]);
  return buses
    .flatMap(({ devices }) => all(devices as readonly PciDevice[]))
    .filter(({ qdev_id: id }) => PORT.test(drivers.get(id) ?? ""))
    .map(({ qdev_id: id, pci_bridge: bridge }) => {
      const seen = (bridge?.devices ?? []).map((each) => each.qdev_id || "a device");
      return { id, devices: [...new Set([...seen, ...(onBus.get(id) ?? [])])] };
    });
}

/** The devices on each bus, by its id. Before the firmware has set PCI up, `query-pci` does not tell what is behind a port. */
async function busesOf(session: Session, ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  await Promise.all(
    ids.map(async (id) => {
      const path = await orNull(session.execute("qom-get", { path: `/machine/peripheral/${id}`, property: "parent_bus" }));
      const bus = String(path).split("/").at(-1) ?? "";
      found.set(bus, [...(found.get(bus) ?? []), id]);
    }),
  );
  return found;
}
