import type { Change } from "../../src/domain/resources/registry.ts";

/**
 * What memory devices have in the model, in MiB by the labels of diff, as `memory-plugged vm0`: in the config what the next start asks them
 * for, on a running machine what they give.
 */
export type Devices = Readonly<Record<string, number>>;

const MIB = 2 ** 20;
/** The device of the rigs: what is behind it, and its block, in MiB. */
const VIRTIO_MEM = { id: "vm0", most: 1024, block: 2 };

/** The device of the rigs, in QEMU's words. */
export const VIRTIO_MEM_ARGS: readonly string[] = [
  "-object",
  `memory-backend-ram,id=${VIRTIO_MEM.id}-ram,size=${VIRTIO_MEM.most}M`,
  "-device",
  `virtio-mem-pci,id=${VIRTIO_MEM.id},memdev=${VIRTIO_MEM.id}-ram`,
];

/** The label of a change of these, and what it wants in MiB; null if it is another's. */
export function devicePart(change: Change): { readonly label: string; readonly value: number } | null {
  return change.resource === "memory-plugged" ? { label: `memory-plugged ${change.id}`, value: change.size / MIB } : null;
}

/** The devices of either half after a change; null if it has to be refused. */
export function devicesAfter(before: Devices, change: Change): Devices | null {
  const part = devicePart(change);
  if (part === null) return before;
  const isRight = before[part.label] !== undefined && part.value <= VIRTIO_MEM.most && part.value % VIRTIO_MEM.block === 0;
  return isRight ? { ...before, [part.label]: part.value } : null;
}

/** The keys of a config that memory devices have. */
export interface MemoryKeys {
  readonly plugged?: Readonly<Record<string, string>>;
}

/** The devices of a config, as its file says: `mib` reads a size. */
export function devicesInFile({ plugged = {} }: MemoryKeys, args: readonly string[], mib: (size: string) => number): Devices {
  const ids = args.flatMap((word) => /^virtio-mem-pci,id=([^,]+)/.exec(word)?.[1] ?? []);
  return Object.fromEntries(ids.map((id) => [`memory-plugged ${id}`, mib(plugged[id] ?? "0MiB")]));
}

/** The devices that QEMU lists. */
export function devicesOf(listed: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]): Devices {
  return Object.fromEntries(
    listed.filter(({ type }) => type === "virtio-mem").map(({ data }) => [`memory-plugged ${data["id"]}`, Number(data["size"]) / MIB]),
  );
}
