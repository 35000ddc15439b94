import { isNamed, type Merged, type MergedType, type Node, partsOf, type Place } from "./merge.ts";

/** A place in a command or an event, with its name: `block-commit arguments`. */
export interface Root {
  readonly kind: "arguments" | "returns" | "data";
  readonly name: string;
  readonly place: Place;
}

/** All arguments and replies of commands, and all data of events, ordered by name. */
export function rootsOf({ sources, node }: Merged): readonly Root[] {
  const collect = (kind: Root["kind"], entries: "commands" | "events", key: "arg-type" | "ret-type"): Root[] =>
    [...new Set(sources.flatMap(({ schema }) => [...schema[entries].keys()]))].sort().map((name) => ({
      kind,
      name,
      place: sources.flatMap(({ schema }, source): Node[] => {
        const entry = schema[entries].get(name) as Readonly<Record<string, string>> | undefined;
        return entry === undefined ? [] : [node(source, entry[key] ?? "")];
      }),
    }));
  return [
    ...collect("arguments", "commands", "arg-type"),
    ...collect("returns", "commands", "ret-type"),
    ...collect("data", "events", "arg-type"),
  ];
}

/** A type's name, and the way that leads to it: `block-export-add: arguments/nbd.bitmaps`. */
export interface Named {
  readonly name: string;
  readonly way: string;
}

/** Names in the same file that are not QEMU's. TypeScript would merge a second interface of that name with it. */
const OURS: readonly string[] = ["Integer", "Other", "Nothing", "QemuCommands", "QemuEvents"];

/**
 * Gives each type a name. QEMU does not tell its own names, so the name is made of the shortest way from a command or an event to the type,
 * and stays the same as long as that way exists. Of several ways of the same length the alphabetically first counts.
 */
export function nameTypes(merged: Merged, roots: readonly Root[]): ReadonlyMap<MergedType, Named> {
  const names = new Map<MergedType, Named>();
  const taken = new Set(OURS);
  const queue: { place: Place; name: string; below: string; way: string }[] = roots.map(({ kind, name, place }) => {
    const below = pascal(name).replace(/^(?=\d)/, "_");
    return { place, name: below + pascal(kind), below, way: `${name}: ${kind}` };
  });
  // The queue grows while it is read, so the nearest types come first.
  for (const { place, name, below, way } of queue) {
    for (const it of place) {
      const { found, item } = elementOf(it, merged);
      const type = isNamed(found.type) ? merged.typeOf(found) : undefined;
      if (type === undefined || names.has(type)) continue;
      const own = free(item && name.endsWith("Returns") ? `${below}Item` : name, taken);
      names.set(type, { name: own, way });
      const stem = name.endsWith("Arguments") || name.endsWith("Returns") || name.endsWith("Data") ? below : own;
      for (const part of partsOf(type.nodes, merged.node)) {
        const next = stem + (part.kind === "branch" ? "Full" : pascal(part.name));
        queue.push({
          place: part.place,
          name: next,
          below: next,
          way: part.kind === "branch" ? way : `${way}${part.kind === "variant" ? "/" : "."}${part.name}`,
        });
      }
    }
  }
  return names;
}

function elementOf(it: Node, merged: Merged, item = false): { readonly found: Node; readonly item: boolean } {
  return it.type["meta-type"] === "array" ? elementOf(merged.node(it.source, it.type["element-type"]), merged, true) : { found: it, item };
}

function free(name: string, taken: Set<string>): string {
  let own = name;
  for (let count = 2; taken.has(own); count++) own = `${name}${count}`;
  taken.add(own);
  return own;
}

/** Turns `x-blockdev-change` and `BLOCK_JOB_ERROR` into `XBlockdevChange` and `BlockJobError`. */
export function pascal(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return words.map((word) => word.slice(0, 1).toUpperCase() + (/[a-z]/.test(word) ? word.slice(1) : word.slice(1).toLowerCase())).join("");
}
