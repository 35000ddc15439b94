import { UsageError } from "../errors.ts";
import { readSize } from "./qemu-values.ts";

/** What memory comes from: the type of a QEMU object, and what of it is not as usual, as QMP has it. Its id and size are not in it. */
export interface MemoryBackend {
  readonly type: string;
  readonly properties: Readonly<Record<string, BackendValue>>;
}

/** A value of one property, as JSON has it. */
export type BackendValue = boolean | number | string | readonly number[];

/** What a DIMM of ours is made on. */
export const PLAIN: MemoryBackend = { type: "memory-backend-ram", properties: {} };

/** What each property is if nobody says otherwise; a list: any of these. Others than these are not known, and left to QEMU. */
const USUAL: Readonly<Record<string, readonly unknown[]>> = {
  align: [0],
  "discard-data": [false],
  dump: [true],
  "host-nodes": [],
  hugetlb: [false],
  hugetlbsize: [0],
  "mem-path": [],
  merge: [true],
  offset: [0],
  pmem: [false],
  policy: ["default"],
  prealloc: [false],
  "prealloc-threads": [1],
  readonly: [false],
  reserve: [true],
  rom: ["auto", "off"],
  seal: [true],
};
/** The types whose properties these are. */
const KNOWN = /^memory-backend-(ram|memfd|file|shm)$/;
/** In these, memory is shared unless it is said otherwise. */
const SHARED = /^memory-backend-(memfd|shm)$/;

/** A backend by what QEMU tells of its properties. A text says why it could not be made again by that. */
export function toldBackend(type: string, told: ReadonlyMap<string, unknown>): MemoryBackend | string {
  if (!KNOWN.test(type)) return `it is a ${type}, which is not known here`;
  if (told.size === 0 && type !== PLAIN.type) return `it is a ${type}, and QEMU does not tell what is set of it`;
  if ((told.get("prealloc-context") ?? "") !== "") return `it is a ${type} with a prealloc-context, which only args can name`;
  const kept = [...told].filter(([name, value]) => !isUsual(type, name, value));
  return { type, properties: Object.fromEntries(kept) as MemoryBackend["properties"] };
}

function isUsual(type: string, name: string, value: unknown): boolean {
  if (name === "share") return value === SHARED.test(type);
  const usual = USUAL[name];
  return usual === undefined || usual.includes(value) || (Array.isArray(value) && value.length === 0);
}

/** Whether it is what a DIMM of ours is made on. */
export function isPlain({ type, properties }: MemoryBackend): boolean {
  return type === PLAIN.type && Object.keys(properties).length === 0;
}

/** A backend in the items of `-object`, its type first, without its id and size: `memory-backend-memfd`, `share=off`. */
export function backendWords({ type, properties }: MemoryBackend): readonly string[] {
  const items = Object.entries(properties).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly number[]) : [value]).map((each) => `${name}=${wordOf(each as BackendValue)}`),
  );
  return [type, ...items];
}

function wordOf(value: BackendValue): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value).replaceAll(",", ",,");
}

/**
 * A backend by its words in `-object`. Null: they have something that is not known here, or a list. `values`: the words, read; `text`: as
 * they are written.
 */
export function backendOfWords(text: string, values: ReadonlyMap<string, string>): MemoryBackend | null {
  const type = values.get("qom-type") ?? "";
  if (!KNOWN.test(type) || text.includes("host-nodes")) return null;
  const items = [...values].filter(([name]) => !["qom-type", "id", "size"].includes(name));
  const properties = items.map(([name, word]) => [name, valueOf(name, word)] as const);
  if (properties.some(([, value]) => value === null)) return null;
  const kept = properties.filter(([name, value]) => !isUsual(type, name, value));
  return { type, properties: Object.fromEntries(kept) as MemoryBackend["properties"] };
}

/** A word as QMP has it; null if it is not known how. */
function valueOf(name: string, word: string): BackendValue | null {
  const [usual] = name === "share" ? [false] : (USUAL[name] ?? []);
  if (name === "mem-path" || name === "policy" || name === "rom") return word;
  if (typeof usual === "boolean") return /^(on|yes|true)$/.test(word) ? true : /^(off|no|false)$/.test(word) ? false : null;
  try {
    return typeof usual === "number" ? readSize(name, word, 1) : null;
  } catch {
    return null;
  }
}

/** A backend in one text, as a record keeps it. */
export function backendText({ type, properties }: MemoryBackend): string {
  return JSON.stringify({ type, ...properties });
}

/** Reads such a text. @throws UsageError for one that is none */
export function readBackend(text: string): MemoryBackend {
  try {
    const { type, ...properties } = JSON.parse(text) as { readonly type?: unknown };
    if (typeof type === "string" && /^memory-backend-\w+$/.test(type)) return { type, properties };
  } catch {
    // Told below.
  }
  throw new UsageError(`DIMM: ${JSON.stringify(text.slice(0, 80))} is no memory backend`, {
    value: text,
    expected: '{"type": "memory-backend-memfd", "share": false}',
  });
}
