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
  const label = change.resource === "memory-plugged" || change.resource === "dimm" ? `${change.resource} ${change.id}` : null;
  return label === null || !("size" in change) ? null : { label, value: change.size / MIB };
}

/** What all DIMMs have together. */
export function dimmsOf(devices: Devices): number {
  return Object.entries(devices).reduce((sum, [label, size]) => sum + (label.startsWith("dimm ") ? size : 0), 0);
}

/** The guest's memory after a set of changes, which counts DIMMs: what is asked for, or as before with what comes and goes. */
export function memoryAfter(memory: number, before: Devices, after: Devices, changes: readonly Change[]): number {
  const wanted = changes.find((change) => change.resource === "memory");
  return wanted === undefined ? memory + dimmsOf(after) - dimmsOf(before) : wanted.size / MIB;
}

/** Whether a set asks the balloon of a paused machine for something while a DIMM leaves: that must be refused. */
export function isDangerous(memory: number, before: Devices, changes: readonly Change[]): boolean {
  const after = changes.reduce<Devices>((devices, change) => devicesAfter(devices, change) ?? devices, before);
  const leaves = Object.keys(before).some((label) => label.startsWith("dimm ") && after[label] === undefined);
  const asks = changes.some(({ resource }) => resource === "memory");
  const isAsItWas = memoryAfter(memory, before, after, changes) === memory && dimmsOf(after) === dimmsOf(before);
  return leaves && asks && !isAsItWas;
}

/** The devices of either half after a change; null if it has to be refused. */
export function devicesAfter(before: Devices, change: Change): Devices | null {
  const part = devicePart(change);
  if (part === null) return before;
  if (change.resource === "dimm") return dimmAfter(before, part);
  const isRight = before[part.label] !== undefined && part.value <= VIRTIO_MEM.most && part.value % VIRTIO_MEM.block === 0;
  return isRight ? { ...before, [part.label]: part.value } : null;
}

/** A DIMM can't change its size. None is a DIMM of nothing. */
function dimmAfter(before: Devices, { label, value }: { readonly label: string; readonly value: number }): Devices | null {
  const { [label]: was = 0, ...others } = before;
  if (was !== value && was !== 0 && value !== 0) return null;
  return sorted(value === 0 ? others : { ...others, [label]: value });
}

function sorted(devices: Devices): Devices {
  return Object.fromEntries(Object.entries(devices).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The keys of a config that memory devices have. */
export interface MemoryKeys {
  readonly plugged?: Readonly<Record<string, string>>;
}

/** The devices of a config, as its file says: `mib` reads a size. */
export function devicesInFile({ plugged = {} }: MemoryKeys, args: readonly string[], mib: (size: string) => number): Devices {
  const ids = args.flatMap((word) => /^virtio-mem-pci,id=([^,]+)/.exec(word)?.[1] ?? []);
  const sizes = new Map(args.flatMap((word) => ramIn(word)));
  const dimms = args.flatMap(
    (word) => (/^pc-dimm,id=([^,]+),memdev=([^,]+)/.exec(word)?.slice(1, 3) as [string, string] | undefined) ?? [],
  );
  const pairs = Array.from(
    { length: dimms.length / 2 },
    (_, at) => [`dimm ${dimms[2 * at]}`, sizes.get(dimms[2 * at + 1] ?? "") ?? 0] as const,
  );
  return sorted(Object.fromEntries([...ids.map((id) => [`memory-plugged ${id}`, mib(plugged[id] ?? "0MiB")] as const), ...pairs]));
}

function ramIn(word: string): readonly (readonly [id: string, mib: number])[] {
  const [, id, size] = /^memory-backend-ram,id=([^,]+),size=(\d+)M$/.exec(word) ?? [];
  return id === undefined ? [] : [[id, Number(size)]];
}

/** The devices that QEMU lists. */
export function devicesOf(listed: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]): Devices {
  return sorted(
    Object.fromEntries(
      listed.map(({ type, data }) => [`${type === "dimm" ? "dimm" : "memory-plugged"} ${data["id"]}`, Number(data["size"]) / MIB]),
    ),
  );
}
