import { editJson } from "./edit.ts";
import { isJson, isMachine, itemsOf, keyOf, valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";
import { readSize } from "./qemu-values.ts";

/** One word of `args` that changes with a size: its position, and its new text. */
export interface WordEdit {
  readonly word: number;
  readonly text: string;
}

/** What happens to `args` when a size changes that they fix too: words to change, or why it is not clear which. */
export type Resizing = { readonly edits: readonly WordEdit[] } | { readonly obstacle: string };

interface Placed {
  readonly option: Option;
  /** The position of its argument among the words. */
  readonly word: number;
}

/**
 * Changes the sizes in `args` for a RAM of `size` bytes. The one backend that is all of the RAM (`-machine memory-backend=`, one `-numa
 * node,memdev=`), or the one node that has it (`-numa node,mem=`), must have the same size. If the RAM is spread over several, only a
 * person can say which of them to change.
 */
export function resizeMemory(args: readonly string[], size: number): Resizing {
  const placed = placedIn(args);
  const parts = [...machineBackends(placed), ...placed.filter(isNode).filter(hasMemory)];
  if (parts.length === 0) return { edits: [] };
  const [part, ...others] = parts;
  if (part === undefined || others.length > 0) return { obstacle: `args spread it over several: ${parts.map(inWords).join(", ")}` };
  const id = backendOf(part.option);
  if (id === undefined) return rewritten(part, "mem", inUnits(size));
  const backend = placed.find(({ option }) => option.name === "object" && valuesOf(option, "qom-type").get("id") === id);
  if (backend === undefined) return { obstacle: `${inWords(part)}: a backend that is not in args` };
  const hasUnit = /[a-z]$/i.test(valuesOf(backend.option, "qom-type").get("size") ?? "");
  return rewritten(backend, "size", hasUnit ? inUnits(size) : String(size));
}

/**
 * Changes `args` for room for `max` vCPUs instead of `before`. If one NUMA node has all of them, it changes too. If they are spread over
 * several, only a person can say how.
 */
export function resizeVcpus(args: readonly string[], before: number, max: number): Resizing {
  const placed = placedIn(args).filter(({ option }) => option.name === "numa");
  const single = placed.filter(({ option }) => itemsOf(option.value ?? "")[0] === "cpu");
  const nodes = placed.filter((each) => isNode(each) && cpusOf(each).length > 0);
  const [node, ...others] = nodes;
  if (single.length === 0 && node === undefined) return { edits: [] };
  const all = (count: number): string => (count === 1 ? "0" : `0-${count - 1}`);
  const isAll = node !== undefined && others.length + single.length === 0 && [all(before), `0-${before - 1}`].includes(cpusOf(node).join());
  if (isAll) return rewritten(node, "cpus", all(max));
  return { obstacle: `args say which node each of them is in: ${[...nodes, ...single].map(inWords).join(", ")}` };
}

/** The size of the backend that is the whole RAM, if args name one and have it. A machine without `-m` gets this size. */
export function backendSize(options: readonly Option[]): number | undefined {
  const id = backendOf(machineBackends(options.map((option) => ({ option, word: 0 })))[0]?.option);
  const isIt = (option: Option): boolean => option.name === "object" && valuesOf(option, "qom-type").get("id") === id;
  const backend = id === undefined ? undefined : options.find(isIt);
  const size = backend === undefined ? undefined : valuesOf(backend, "qom-type").get("size");
  return size === undefined ? undefined : readSize("-object size", size, 1);
}

/** The words of `args`, with the changes made. */
export function withWords(args: readonly string[], edits: readonly WordEdit[]): readonly string[] {
  const changed = new Map(edits.map(({ word, text }) => [word, text]));
  return args.map((each, position) => changed.get(position) ?? each);
}

function placedIn(args: readonly string[]): readonly Placed[] {
  let word = 0;
  return splitOptions(args).map((option) => {
    word += option.words.length;
    return { option, word: word - 1 };
  });
}

/** The last one counts, as in QEMU. */
function machineBackends(placed: readonly Placed[]): readonly Placed[] {
  const last = placed.findLast(({ option }) => isMachine(option) && valuesOf(option, "type").has("memory-backend"));
  return last === undefined ? [] : [last];
}

function isNode({ option }: Placed): boolean {
  return option.name === "numa" && itemsOf(option.value ?? "")[0]?.replace(/^type=/, "") === "node";
}

function hasMemory({ option }: Placed): boolean {
  const values = valuesOf(option, "type");
  return values.has("memdev") || values.has("mem");
}

function backendOf(option: Option | undefined): string | undefined {
  if (option === undefined) return undefined;
  const values = valuesOf(option, "type");
  return isMachine(option) ? values.get("memory-backend") : values.get("memdev");
}

/** A node may have several ranges: `cpus=0-1,cpus=4`. */
function cpusOf({ option }: Placed): readonly string[] {
  return itemsOf(option.value ?? "")
    .filter((item) => keyOf(item) === "cpus")
    .map((item) => item.slice("cpus=".length));
}

function rewritten({ option, word }: Placed, key: string, value: string): Resizing {
  const text = option.value ?? "";
  const items = itemsOf(text).map((item) => (keyOf(item) === key ? `${key}=${value}` : item));
  if (!isJson(text)) return { edits: [{ word, text: items.join(",") }] };
  try {
    return { edits: [{ word, text: editJson(text, [{ path: [key], value: readSize(key, value, 1) }]) }] };
  } catch {
    return { obstacle: `-${option.name} ${text}: not plain JSON` };
  }
}

/** Always with a unit: without one, it is bytes for one option and MiB for another. */
function inUnits(bytes: number): string {
  return bytes % 1024 ** 3 === 0 ? `${bytes / 1024 ** 3}G` : bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}M` : `${bytes / 1024}K`;
}

function inWords({ option }: Placed): string {
  return option.words.join(" ");
}
