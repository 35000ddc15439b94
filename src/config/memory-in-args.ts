import { backendOfWords, backendWords, type MemoryBackend } from "./memory-backend.ts";
import { valuesOf } from "./option-values.ts";
import { splitOptions } from "./options.ts";
import { readSize } from "./qemu-values.ts";

/** A virtio-mem device that `args` bring, with an id. Sizes are in bytes; null: QEMU decides, or the words don't say. */
export interface VirtioMemInArgs {
  readonly id: string;
  /** What it is asked to give by its `requested-size`. */
  readonly requested: number;
  readonly block: number | null;
  /** The size of its backend, which is the most that it can give. */
  readonly most: number | null;
}

/** The virtio-mem devices that have an id. */
export function virtioMemsInArgs(args: readonly string[]): readonly VirtioMemInArgs[] {
  return devicesOf(args, /^virtio-mem(-|$)/).flatMap((values) => {
    const id = values.get("id");
    if (id === undefined) return [];
    const [requested, block] = ["requested-size", "block-size"].map((key) => sizeAt(values, key));
    return [{ id, requested: requested ?? 0, block: block ?? null, most: backendIn(args, values.get("memdev"))?.size ?? null }];
  });
}

/** Whether more may be on the command line than its words show: a file that `-readconfig` names can have any device. */
export function mayHaveMore(args: readonly string[]): boolean {
  return args.some((word) => /^--?readconfig$/.test(word));
}

/** A memory backend of `args`. */
interface BackendInArgs {
  readonly id: string;
  readonly type: string;
  readonly size: number | null;
}

function backendIn(args: readonly string[], id: string | undefined): BackendInArgs | undefined {
  const found = splitOptions(args)
    .filter(({ name }) => name === "object")
    .map((option) => valuesOf(option, "qom-type"))
    .find((values) => id !== undefined && values.get("id") === id);
  return id === undefined || found === undefined ? undefined : { id, type: found.get("qom-type") ?? "", size: sizeAt(found, "size") };
}

function devicesOf(args: readonly string[], driver: RegExp): readonly ReadonlyMap<string, string>[] {
  return splitOptions(args)
    .filter((option) => option.name === "device" && driver.test(valuesOf(option, "driver").get("driver") ?? ""))
    .map((option) => valuesOf(option, "driver"));
}

/** A size of a device or an object: a bare number is bytes. Null where there is none, or QEMU would not read it either. */
function sizeAt(values: ReadonlyMap<string, string>, key: string): number | null {
  const text = values.get(key);
  try {
    return text === undefined ? null : readSize(key, text, 1);
  } catch {
    return null;
  }
}

/** A DIMM that `args` bring, with an id. */
export interface DimmInArgs {
  readonly id: string;
  /** Null: its backend is not in `args`, or its size can't be read. */
  readonly size: number | null;
  readonly node: number;
  /** The id of its backend. */
  readonly memdev: string;
}

/** The DIMMs that have an id. */
export function dimmsInArgs(args: readonly string[]): readonly DimmInArgs[] {
  return devicesOf(args, /^pc-dimm$/).flatMap((values) => {
    const [id, memdev] = [values.get("id"), values.get("memdev")];
    if (id === undefined || memdev === undefined) return [];
    return [{ id, size: backendIn(args, memdev)?.size ?? null, node: Number(values.get("node") ?? 0), memdev }];
  });
}

/** What a backend of `args` is made of; null if it is not there, or its words are more than can be read here. */
export function backendInArgs(args: readonly string[], id: string): MemoryBackend | null {
  const option = splitOptions(args).find((each) => each.name === "object" && valuesOf(each, "qom-type").get("id") === id);
  if (option === undefined) return null;
  return backendOfWords(option.value ?? "", valuesOf(option, "qom-type"));
}

/** What all DIMMs of `args` have together, in bytes: as much comes on top of what the machine starts with. */
export function dimmMemory(args: readonly string[]): number {
  return devicesOf(args, /^pc-dimm$/).reduce((sum, values) => sum + (backendIn(args, values.get("memdev"))?.size ?? 0), 0);
}

/** What the next start gives the guest, without virtio-mem: what its balloon leaves, and DIMMs. */
export function plannedMemory({
  memory,
  args,
}: {
  readonly memory: { readonly current: number };
  readonly args: readonly string[];
}): number {
  return memory.current + dimmMemory(args);
}

/** How many DIMMs `args` bring, with an id or without. */
export function dimmCount(args: readonly string[]): number {
  return devicesOf(args, /^(pc-dimm|nvdimm)$/).length;
}

/** What virtio-mem devices of `args` can give together. */
export function virtioMemRoom(args: readonly string[]): number {
  return devicesOf(args, /^virtio-mem(-|$)/).reduce((sum, values) => sum + (backendIn(args, values.get("memdev"))?.size ?? 0), 0);
}

/** How many NUMA nodes `args` make; 0 where they make none, and the machine is one. */
export function numaNodes(args: readonly string[]): number {
  return splitOptions(args).filter(({ name, value = "" }) => name === "numa" && /^(type=)?node\b/.test(value)).length;
}

/** The ids of objects and devices in `args`: QEMU takes each only once. */
export function idsInArgs(args: readonly string[]): ReadonlySet<string> {
  const options = splitOptions(args).filter(({ name }) => name === "object" || name === "device");
  return new Set(options.flatMap((option) => valuesOf(option, option.name === "device" ? "driver" : "qom-type").get("id") ?? []));
}

/** The words that bring a DIMM of a size, in QEMU's own notation. */
export function dimmWords({ id, size, node, memdev }: DimmInArgs & { readonly size: number }, backend: MemoryBackend): readonly string[] {
  const where = node === 0 ? "" : `,node=${node}`;
  const [type, ...items] = backendWords(backend);
  return [
    "-object",
    [type, `id=${memdev}`, `size=${sizeWord(size)}`, ...items].join(","),
    "-device",
    `pc-dimm,id=${id},memdev=${memdev}${where}`,
  ];
}

/** The positions of the words that bring a DIMM: its own, and its backend's where nothing else uses that. */
export function dimmPositions(args: readonly string[], id: string): readonly number[] {
  const found = dimmsInArgs(args).find((dimm) => dimm.id === id);
  if (found === undefined) return [];
  let at = 0;
  return splitOptions(args).flatMap((option) => {
    const first = at;
    at += option.words.length;
    const values = valuesOf(option, option.name === "device" ? "driver" : "qom-type");
    const isIts = option.name === "device" ? values.get("id") === id : option.name === "object" && values.get("id") === found.memdev;
    return isIts ? option.words.map((_, offset) => first + offset) : [];
  });
}

function sizeWord(bytes: number): string {
  const unit = (["G", "M", "K"] as const).find((_, position) => bytes % 1024 ** (3 - position) === 0);
  return unit === undefined ? String(bytes) : `${bytes / 1024 ** { G: 3, M: 2, K: 1 }[unit]}${unit}`;
}
