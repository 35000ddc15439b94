import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { QueryPciDevices } from "../../schema/generated/types.ts";

/** PCI ids of virtio-balloon, as a legacy and as a modern device. Source: the virtio specification. */
const VENDOR = 0x1af4;
const DEVICES: ReadonlySet<number> = new Set([0x1002, 0x1045]);
/** Where QEMU has a modern virtio device's own registers in its fourth region: hw/virtio/virtio-pci.c. */
const REGION = 4;
const OFFSET = 0x2000;
const PAGE = 4096;

/**
 * The balloon's target as the device itself has it, in bytes, for a machine of `size`: QMP has no question for it, and the device's registers show it as soon as it is set. After a snapshot
 * was loaded it is the snapshot's. Null where they can't be read: before the firmware has placed them, on a device that is not on PCI. Measured on QEMU 5.2, 7.2, 10.0 and 11.1, q35 and pc.
 *
 * @throws the session's errors
 */
export async function readBalloonTarget(session: Session, size: number): Promise<number | null> {
  try {
    const buses = await session.execute("query-pci");
    const device = buses.flatMap((bus) => allOf(bus.devices as readonly QueryPciDevices[])).find(({ id }) => Number(id.vendor) === VENDOR && DEVICES.has(Number(id.device)));
    const address = Number(device?.regions.find(({ bar }) => bar === REGION)?.address ?? -1);
    if (address < 0 || !Number.isSafeInteger(address)) return null;
    const text = await session.execute("human-monitor-command", { "command-line": `xp /1wx 0x${(address + OFFSET).toString(16)}` });
    const pages = /:\s*0x([0-9a-f]{8})\s*$/.exec(text.trim())?.[1];
    return pages === undefined ? null : size - Number.parseInt(pages, 16) * PAGE;
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

function allOf(devices: readonly QueryPciDevices[]): readonly QueryPciDevices[] {
  return devices.flatMap((device) => [device, ...allOf(device.pci_bridge?.devices ?? [])]);
}
