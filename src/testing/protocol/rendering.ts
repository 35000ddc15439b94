import { parseJson } from "../json/json-input.ts";
import { formatJson, isNumber, isObject, type Json, type JsonObject } from "../json/json-value.ts";

const FIRST_ID = /^\{"id": (?:-?\d+|"(?:[^"\\]|\\.)*"), (?="error")/;
const LAST_ID = /, "id": (?:-?\d+|"(?:[^"\\]|\\.)*")\}$/;

/** A recorded reply with this client's id, in QEMU's place for it. The reply is not parsed, because replies can be huge. */
export function withId(recorded: string, id: Json | undefined): string {
  const text = /^\{"(return|id|error)": /.test(recorded) ? recorded : tidy(recorded);
  const bare = text.replace(FIRST_ID, "{").replace(LAST_ID, "}");
  if (id === undefined) return bare;
  return bare.startsWith('{"error"') ? `{"id": ${formatJson(id)}, ${bare.slice(1)}` : `${bare.slice(0, -1)}, "id": ${formatJson(id)}}`;
}

/** A reply that no QEMU wrote, with QEMU's spacing and order of members. */
function tidy(text: string): string {
  const value = parseJson(text);
  if (!isObject(value)) return text;
  const order = value.has("error") ? ["id", "error"] : ["return", "id"];
  return formatJson(new Map(order.flatMap((key) => (value.has(key) ? [[key, value.get(key) ?? null] as const] : []))));
}

/** Commands whose answers name threads of the host. In others `thread-id` is a place in the guest's topology. */
const NAMING_THREADS: readonly string[] = ["query-cpus-fast", "query-cpus", "query-iothreads"];

/** The thread ids in a reply, each with the name of the thread: `CPU 1` for a vCPU, `IO iothread0` for an iothread. */
export function threadsIn(command: string, reply: string): ReadonlyMap<number, string> {
  if (!NAMING_THREADS.includes(command)) return new Map();
  const named = itemsOf(parseJson(reply)).flatMap((item) => {
    const tid = item.get("thread-id");
    return isNumber(tid) ? [[Number(tid.digits), nameOf(item.get("cpu-index"), item.get("id"))] as const] : [];
  });
  return new Map(named);
}

function itemsOf(reply: Json): readonly JsonObject[] {
  const items = isObject(reply) ? reply.get("return") : undefined;
  return Array.isArray(items) ? items.filter(isObject) : [];
}

function nameOf(index: Json | undefined, id: Json | undefined): string {
  if (isNumber(index)) return `CPU ${index.digits}`;
  return typeof id === "string" ? `IO ${id}` : "worker";
}

/** A reply with its thread ids replaced. */
export function withThreads(reply: string, threads: ReadonlyMap<number, number>): string {
  const value = parseJson(reply);
  if (!isObject(value)) return reply;
  const items = itemsOf(value).map(
    (item) =>
      new Map(
        [...item].map(([key, member]) => [
          key,
          key === "thread-id" && isNumber(member) ? { digits: String(threads.get(Number(member.digits)) ?? member.digits) } : member,
        ]),
      ),
  );
  return formatJson(new Map([...value].map(([key, member]) => [key, key === "return" ? items : member])));
}

/**
 * A reply in which the guest's last report is as long ago as it was in the recording. `at`: the time of the recording, in seconds since
 * 1970.
 */
export function withPresent(reply: string, at: number | undefined): string {
  if (at === undefined || !reply.includes('"last-update"')) return reply;
  const shift = Math.floor(Date.now() / 1000) - at;
  return reply.replace(/("last-update": )([1-9]\d*)/g, (_all, key: string, time: string) => `${key}${Number(time) + shift}`);
}
