import { isMachine, itemsOf, keyOf } from "./option-values.ts";
import type { Option } from "./options.ts";
import { readSize } from "./qemu-values.ts";

/** What `-machine smp.cpus=4,memory.size=1G` says, in the words of `-smp` and `-m`, and what is left of the option. */
export interface MachineSizes {
  readonly smp: ReadonlyMap<string, string>;
  readonly memory: ReadonlyMap<string, string>;
  /** The option without them; undefined if nothing is left. */
  readonly rest: Option | undefined;
}

/** `-m` has names of its own for the properties of `memory`. */
const MEMORY_KEYS: Readonly<Record<string, string>> = { "memory.size": "size", "memory.max-size": "maxmem", "memory.slots": "slots" };

/**
 * Takes the sizes out of `-machine`, where QEMU since 7.0 accepts them as properties. There a bare memory.size is in bytes (measured), not
 * in MiB as with -m.
 *
 * @throws UsageError when a size can't be read
 */
export function takeSizes(option: Option): MachineSizes {
  const smp = new Map<string, string>();
  const memory = new Map<string, string>();
  const items = isMachine(option) ? itemsOf(option.value ?? "") : [];
  const kept = items.filter((item) => {
    const key = keyOf(item);
    const value = item.slice(key.length + 1);
    const ours = MEMORY_KEYS[key];
    if (key.startsWith("smp.")) smp.set(key.slice("smp.".length), value);
    else if (ours === "slots") memory.set(ours, value);
    else if (ours !== undefined) memory.set(ours, `${readSize(`-machine ${key}`, value, 1)}B`);
    return !key.startsWith("smp.") && ours === undefined;
  });
  if (smp.size + memory.size === 0) return { smp, memory, rest: option };
  const value = kept.join(",");
  return { smp, memory, rest: value === "" ? undefined : { name: option.name, value, words: [option.words[0] ?? "-machine", value] } };
}
