import { SETTINGS } from "../../config/iothread-settings.ts";
import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";

/** What is set of an iothread. Those of its thread pool are not in `query-iothreads`; before QEMU 7.1 there are none. */
export async function settingsOf(session: Session, said: { readonly id: string }): Promise<Readonly<Partial<Record<string, number>>>> {
  const values = await Promise.all(
    SETTINGS.map(async (name) => {
      const value =
        new Map(Object.entries(said)).get(name) ??
        (await orNull(session.execute("qom-get", { path: `/objects/${said.id}`, property: name })));
      return [name, value] as const;
    }),
  );
  return Object.fromEntries(values.flatMap(([name, value]) => (value === null ? [] : [[name, Number(value)]])));
}

/** Where devices and objects are in QEMU's tree. Of the objects, only this one has a link to an iothread. */
const PLACES = ["/machine/peripheral", "/machine/peripheral-anon", "/objects"] as const;
const LINKING = "child<colo-compare>";

/**
 * What uses each iothread. QEMU lets an iothread go that a device uses, without a word: it leaves the list, its thread goes on, and the
 * device's own word for it becomes empty (seen on 5.2 to 11.1). So each device is asked, before that.
 */
export async function iothreadUses(session: Session): Promise<ReadonlyMap<string, readonly string[]>> {
  const lists = await Promise.all(
    PLACES.map(async (place) => ({ place, items: (await orNull(session.execute("qom-list", { path: place }))) ?? [] })),
  );
  const children = lists.flatMap(({ place, items }) =>
    items.filter(({ type }) => (place === "/objects" ? type === LINKING : type.startsWith("child<"))).map((item) => ({ place, ...item })),
  );
  const used = await Promise.all(
    children.map(async ({ place, name, type }) => ({ by: nameOf(place, name, type), ids: await usedBy(session, `${place}/${name}`) })),
  );
  const uses = new Map<string, string[]>();
  for (const { by, ids } of used) for (const id of ids) uses.set(id, [...(uses.get(id) ?? []), by]);
  return uses;
}

/** Its link to an iothread, and the mapping of its queues, which QEMU has since 9.0. */
async function usedBy(session: Session, path: string): Promise<ReadonlySet<string>> {
  const [link, mapping] = await Promise.all(
    ["iothread", "iothread-vq-mapping"].map((property) => orNull(session.execute("qom-get", { path, property }))),
  );
  const linked = typeof link === "string" && link.startsWith("/objects/") ? [link.slice("/objects/".length)] : [];
  const mapped = Array.isArray(mapping) ? mapping.map((each) => String((each as { readonly iothread?: unknown } | null)?.iothread)) : [];
  return new Set([...linked, ...mapped]);
}

/** Without an id a device has only a place: its type says more. */
function nameOf(place: string, name: string, type: string): string {
  return place === "/machine/peripheral-anon" ? `${name}, a ${type.slice("child<".length, -1)} without an id` : name;
}
