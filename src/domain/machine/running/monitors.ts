import type { Listening } from "../../../config/monitors.ts";
import { valuesOf } from "../../../config/option-values.ts";
import type { Option } from "../../../config/options.ts";
import { clientsOnTcp, clientsOnUnix } from "../../../host/clients.ts";
import { unixSocketAt } from "../../../host/listeners.ts";
import type { Process } from "../../../host/processes.ts";
import { isLoopback } from "../../../wire/address.ts";
import type { QemuWords } from "../command-line.ts";

/** One QMP monitor of a QEMU. */
export interface RunningMonitor {
  /** As `Domain.open` takes it. */
  readonly address: string;
  /** `free`; `held` by another client; `unseen`: nobody is seen to listen there, so it is gone, or in another namespace. */
  readonly state: "free" | "held" | "unseen";
  /** Who holds it, as far as that can be seen: process ids. */
  readonly holders: readonly number[];
}

/** The QMP monitors of a QEMU, and who holds each. A descriptor that it was given for one is looked up among its sockets. */
export async function monitorsOf({ pid }: Process, { options, monitors }: QemuWords): Promise<readonly RunningMonitor[]> {
  const given = monitorDescriptors(options).flatMap((fd): Listening[] => {
    const path = unixSocketAt(pid, fd);
    return path === undefined ? [] : [{ kind: "unix", path }];
  });
  return Promise.all([...monitors, ...given].map(stateOf));
}

/** The descriptors of sockets that QMP monitors listen on: `-chardev socket,fd=N,server=on` behind `-mon …,mode=control`. */
function monitorDescriptors(options: readonly Option[]): readonly number[] {
  const chardevs = new Map(
    options.filter(({ name }) => name === "chardev").map((option) => [valuesOf(option, "backend").get("id"), valuesOf(option, "backend")]),
  );
  return options.flatMap((option) => {
    const values = option.name === "mon" ? valuesOf(option, "chardev") : undefined;
    const fd = values?.get("mode") === "control" ? Number(chardevs.get(values.get("chardev"))?.get("fd")) : Number.NaN;
    return Number.isSafeInteger(fd) ? [fd] : [];
  });
}

async function stateOf(monitor: Listening): Promise<RunningMonitor> {
  const [address, clients] =
    monitor.kind === "unix" ? [`unix:${monitor.path}`, await clientsOnUnix(monitor.path, [])] : [tcpAddress(monitor), await onTcp(monitor)];
  const state = clients === null ? "unseen" : clients.isHeld ? "held" : "free";
  return { address, state, holders: clients?.who.map(({ pid }) => pid) ?? [] };
}

/** Every address of this host leads to it from here. */
function tcpAddress({ host, port }: Listening & { readonly kind: "tcp" }): string {
  const at = ["", "0.0.0.0", "*"].includes(host) ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `tcp:${at.includes(":") ? `[${at}]` : at}:${port}`;
}

async function onTcp({ host, port }: Listening & { readonly kind: "tcp" }): ReturnType<typeof clientsOnTcp> {
  return isLoopback(host) || ["", "0.0.0.0", "*", "::"].includes(host) ? clientsOnTcp(port) : null;
}
