import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { QueryPciDevices } from "../../schema/generated/types.ts";

/** PCI ids of virtio, and of its balloon, as a legacy and as a modern device. Source: the virtio specification. */
const VENDOR = 0x1af4;
const DEVICES: ReadonlySet<number> = new Set([0x1002, 0x1045]);
const isBalloon: IsIt = ({ id }) => DEVICES.has(Number(id.device));
/**
 * Where QEMU keeps a modern virtio device's registers in its fourth region (hw/virtio/virtio-pci.c): those that all devices have, and the
 * balloon's own.
 */
const REGION = 4;
const STATUS = 0x14;
const OWN = 0x2000;
const PAGE = 4096;
/** The bit of a virtio device's status that its driver sets when it works. */
const DRIVER_OK = 4;

/** Tells one virtio device from the others. */
type IsIt = (device: QueryPciDevices) => boolean;

/**
 * Reads the balloon's target from the device itself, in bytes, for a balloon that works in `size`. QMP has no question for it. The device's
 * registers show it as soon as it is set; after a snapshot was loaded they show the snapshot's. Null if they can't be read: the firmware
 * has not placed them yet, or the device is not on PCI. Measured on QEMU 5.2, 7.2, 10.0 and 11.1, q35 and pc.
 *
 * @throws the session's errors
 */
export async function readBalloonTarget(session: Session, size: number): Promise<number | null> {
  const address = await registersOf(session, isBalloon);
  const pages = typeof address === "number" ? await readWord(session, address + OWN) : null;
  return pages === null ? null : size - pages * PAGE;
}

/**
 * Whether a driver in the guest works the balloon; null if that can't be seen, as on a device that is not on PCI.
 *
 * @throws the session's errors
 */
export function hasDriver(session: Session): Promise<boolean | null> {
  return worksIt(session, isBalloon);
}

/** Whether a driver in the guest works the virtio device of this id. See `hasDriver`. @throws the session's errors */
export function hasDriverOf(session: Session, device: string): Promise<boolean | null> {
  return worksIt(session, ({ qdev_id: id }) => id === device);
}

async function worksIt(session: Session, isIt: IsIt): Promise<boolean | null> {
  const address = await registersOf(session, isIt);
  // No driver can use a device that the firmware has not placed yet.
  if (address === "unplaced") return false;
  const status = address === null ? null : await readWord(session, address + STATUS);
  return status === null ? null : (status & DRIVER_OK) !== 0;
}

/** The address of a device's registers in the guest's memory; null without such a modern device on PCI. */
async function registersOf(session: Session, isIt: IsIt): Promise<number | "unplaced" | null> {
  try {
    const buses = await session.execute("query-pci");
    const device = buses
      .flatMap((bus) => allOf(bus.devices as readonly QueryPciDevices[]))
      .find((each) => Number(each.id.vendor) === VENDOR && isIt(each));
    const region = device?.regions.find(({ bar }) => bar === REGION);
    if (region === undefined) return device !== undefined && device.regions.length === 0 ? "unplaced" : null;
    const address = Number(region.address);
    return address < 0 || !Number.isSafeInteger(address) ? "unplaced" : address;
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

async function readWord(session: Session, address: number): Promise<number | null> {
  try {
    const text = await session.execute("human-monitor-command", { "command-line": `xp /1wx 0x${address.toString(16)}` });
    const word = /:\s*0x([0-9a-f]{8})\s*$/.exec(text.trim())?.[1];
    return word === undefined ? null : Number.parseInt(word, 16);
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

function allOf(devices: readonly QueryPciDevices[]): readonly QueryPciDevices[] {
  return devices.flatMap((device) => [device, ...allOf(device.pci_bridge?.devices ?? [])]);
}
