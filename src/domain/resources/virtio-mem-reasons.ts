import type { LaunchConfig } from "../../config/launch.ts";
import { mayHaveMore, virtioMemsInArgs } from "../../config/memory-in-args.ts";
import { formatSize } from "../../config/size.ts";
import type { Live } from "../facts/live.ts";
import { type VirtioMem, virtioMemsIn } from "../facts/memory-devices.ts";
import { type Reason, when } from "./resource.ts";

/** What is wanted of a device. */
interface Wanted {
  readonly id: string;
  readonly size: number;
}

/** The block of a device that does not say: QEMU takes the size of the host's huge pages, 2 MiB on x86. */
const USUAL_BLOCK = 2 * 2 ** 20;

/** Why the config can't have it. `device`: the one of the running machine, which knows its block. */
export function configReasons({ id, size }: Wanted, { args }: LaunchConfig, device: VirtioMem | undefined): readonly Reason[] {
  const devices = virtioMemsInArgs(args);
  const found = devices.find((each) => each.id === id);
  if (found === undefined) return mayHaveMore(args) ? [] : [missing(id, devices, "the config's args have")];
  const { block, most } = found;
  return limits({ id, size }, { block: block ?? device?.resizable.block ?? USUAL_BLOCK, most: most ?? Number.POSITIVE_INFINITY });
}

/** Why the running machine can't give it. */
export function deviceReasons({ id, size }: Wanted, { memory, version }: Live): readonly Reason[] {
  const devices = virtioMemsIn(memory.devices);
  const device = devices.find((each) => each.id === id);
  if (device !== undefined) return limits({ id, size }, device.resizable);
  if (isBefore(version.text, 5, 1))
    return [{ reason: `QEMU ${version.text} has no virtio-mem, which came with 5.1`, instead: "a newer QEMU, or DIMMs (qmpctl plugmem)" }];
  return [missing(id, devices, "the running machine has")];
}

function limits({ id, size }: Wanted, { block, most }: { readonly block: number; readonly most: number }): readonly Reason[] {
  const [lower, upper] = [Math.floor(size / block) * block, Math.ceil(size / block) * block];
  const near = [lower, upper].filter((each) => each <= most).map(formatSize);
  return [
    ...when(size % block !== 0, () => ({
      reason: `${formatSize(size)} is no multiple of ${formatSize(block)}, the block of virtio-mem ${id}`,
      instead: near.join(" or "),
    })),
    ...when(size > most, () => ({
      reason: `${formatSize(size)} is above the ${formatSize(most)} of memory behind virtio-mem ${id}`,
      instead: `at most ${formatSize(most)}, or a larger -object for it in args, and a restart`,
    })),
  ];
}

function missing(id: string, devices: readonly { readonly id: string }[], who: string): Reason {
  const has = devices.length === 0 ? "none" : devices.map((device) => device.id).join(", ");
  const words = `"-object", "memory-backend-ram,id=${id}-ram,size=4G", "-device", "virtio-mem-pci,id=${id},memdev=${id}-ram"`;
  return {
    reason: `there is no virtio-mem device ${id}: ${who} ${has}`,
    instead:
      devices.length > 0
        ? `one of those, or add ${words} to args and restart it`
        : `add ${words} to args, with room for it in memory.hotplug ({ "slots": 0, "limit": "8GiB" }), and restart it`,
  };
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split(".").map(Number);
  return first < major || (first === major && second < minor);
}
