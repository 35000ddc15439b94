import { formatJson, isNumber, isObject, type Json } from "./json-value.ts";
import { parseJson } from "./json-input.ts";

const FIRST_ID = /^\{"id": (?:-?\d+|"(?:[^"\\]|\\.)*"), (?="error")/;
const LAST_ID = /, "id": (?:-?\d+|"(?:[^"\\]|\\.)*")\}$/;

/** A recorded reply with the id that this client gave, in the place where QEMU puts it. Without re-reading it, as replies can be huge. */
export function withId(recorded: string, id: Json | undefined): string {
  const text = /^\{"(return|id|error)": /.test(recorded) ? recorded : tidy(recorded);
  const bare = text.replace(FIRST_ID, "{").replace(LAST_ID, "}");
  if (id === undefined) return bare;
  return bare.startsWith('{"error"') ? `{"id": ${formatJson(id)}, ${bare.slice(1)}` : `${bare.slice(0, -1)}, "id": ${formatJson(id)}}`;
}

/** A reply that no QEMU wrote, in QEMU's spacing and order of members. */
function tidy(text: string): string {
  const value = parseJson(text);
  if (!isObject(value)) return text;
  const order = value.has("error") ? ["id", "error"] : ["return", "id"];
  return formatJson(new Map(order.flatMap((key) => (value.has(key) ? [[key, value.get(key) ?? null] as const] : []))));
}

/** The thread ids in a reply, with what the thread is called: `CPU 1` for a vCPU, `IO iothread0` for an iothread. */
export function threadsIn(reply: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  if (!reply.includes('"thread-id"')) return found;
  const visit = (value: Json): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isObject(value)) return;
    const tid = value.get("thread-id");
    if (isNumber(tid)) found.set(Number(tid.digits), nameOf(value.get("cpu-index"), value.get("id")));
    for (const member of value.values()) visit(member);
  };
  visit(parseJson(reply));
  return found;
}

function nameOf(index: Json | undefined, id: Json | undefined): string {
  if (isNumber(index)) return `CPU ${index.digits}`;
  return typeof id === "string" ? `IO ${id}` : "worker";
}

/** A reply with its thread ids exchanged. */
export function withThreads(reply: string, threads: ReadonlyMap<number, number>): string {
  return reply.replace(/("thread-id": ?)(\d+)/g, (_all, key: string, tid: string) => `${key}${threads.get(Number(tid)) ?? tid}`);
}
