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
