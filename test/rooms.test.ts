import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { importsOf, withoutComments } from "./imports.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/**
 * The rooms of a floor, from the bottom up. A file imports its own room and those beneath. A file in no room stands on top of all, or where
 * the list has "".
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  "src/domain": ["model", "machine", "facts", "resources", "ends", "change", "lifecycle", "supervise", "views", "balance"],
  "src/remote": ["", "fleet"],
  "src/testing": ["json", "transcript", "protocol", "server", "record", "emulator"],
};

/** Climbs that are to be mended still: `FILE -> FILE`. To be emptied. */
const CLIMBS: readonly string[] = [];

/** Circles that are to be mended still, each as its sorted files. To be emptied. */
const CIRCLES: readonly string[] = [];

type Graph = ReadonlyMap<string, readonly string[]>;

/** The files of a folder, and what each imports of the tree, types included. */
function graphOf(files: ReadonlyMap<string, string>): Graph {
  return new Map(
    [...files].map(([path, text]) => [
      path,
      importsOf(withoutComments(text))
        .filter(({ from }) => from.startsWith("."))
        .map(({ from }) => join(path, "..", from)),
    ]),
  );
}

/** The height of a file's room on its floor, from 0; a file in no room is higher than all. Undefined where the floor has no rooms. */
function heightOf(path: string): readonly [floor: string, height: number] | undefined {
  const floor = Object.keys(ROOMS).find((it) => path.startsWith(`${it}/`));
  if (floor === undefined) return undefined;
  const [room = "", ...inside] = path.slice(floor.length + 1).split("/");
  const rooms = ROOMS[floor] ?? [];
  if (inside.length > 0) return [floor, rooms.indexOf(room)];
  return [floor, rooms.includes("") ? rooms.indexOf("") : rooms.length];
}

function climbsIn(graph: Graph): readonly string[] {
  return [...graph].flatMap(([path, targets]) => {
    const own = heightOf(path);
    if (own?.[1] === -1) return [`${path}: in a room that has no place in the list`];
    return targets
      .filter((target) => {
        const other = heightOf(target);
        return own !== undefined && other !== undefined && own[0] === other[0] && other[1] > own[1];
      })
      .map((target) => `${path} -> ${target}`);
  });
}

/** Sets of files that import each other round about, by Tarjan's algorithm; each sorted and joined. */
function circlesIn(graph: Graph): readonly string[] {
  const found: string[] = [];
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.get(path) ?? 0);
    stack.push(path);
    for (const target of graph.get(path) ?? []) {
      if (!graph.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path) ?? 0, low.get(target) ?? 0));
    }
    if (low.get(path) !== order.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1 || graph.get(path)?.includes(path) === true) found.push(circle.sort().join(" "));
  };
  for (const path of graph.keys()) if (!order.has(path)) visit(path);
  return found;
}

async function filesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(join(ROOT, folder), { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [`${folder}/${name}`, await readFile(join(ROOT, folder, name), "utf8")] as const)),
  );
}

const graph = graphOf(new Map([...(await filesIn("src")), ...(await filesIn("scripts")), ...(await filesIn("test"))]));

test("a file imports its own room, and the rooms beneath it", () => {
  expect(graph.size).toBeGreaterThan(300);
  expect(climbsIn(graph).filter((it) => !CLIMBS.includes(it))).toEqual([]);
});

test("no files import each other in a circle, types included", () => {
  expect(circlesIn(graph).filter((it) => !CIRCLES.includes(it))).toEqual([]);
});

test("scripts take nothing of the tests: what both use is in scripts/lab", () => {
  const taken = [...graph].flatMap(([path, targets]) => targets.filter((it) => path.startsWith("scripts/") && it.startsWith("test/")));
  expect(taken).toEqual([]);
});

test("the fake QEMU shares no code with the client that it is to test", () => {
  const shared = [...graph].flatMap(([path, targets]) =>
    targets.filter((it) => path.startsWith("src/testing/") && /^src\/(wire|qmp)\//.test(it)).map((it) => `${path} -> ${it}`),
  );
  expect(shared).toEqual([]);
});

describe("the check of rooms catches", () => {
  const files = (...pairs: readonly (readonly [string, string])[]): Graph => graphOf(new Map(pairs));

  test.each([
    [
      "a climb",
      ["src/domain/machine/find.ts", 'import type { Plan } from "../change/plan.ts";'],
      "src/domain/machine/find.ts -> src/domain/change/plan.ts",
    ],
    [
      "a climb to the top",
      ["src/domain/views/list.ts", 'import { Domain } from "../domain.ts";'],
      "src/domain/views/list.ts -> src/domain/domain.ts",
    ],
    [
      "a climb when it is needed",
      ["src/testing/json/a.ts", 'await import("../server/b.ts");'],
      "src/testing/json/a.ts -> src/testing/server/b.ts",
    ],
    [
      "a climb into a room above what is in none",
      ["src/remote/host.ts", 'import { hostsIn } from "./fleet/hosts-in.ts";'],
      "src/remote/host.ts -> src/remote/fleet/hosts-in.ts",
    ],
    ["a room that nobody has listed", ["src/domain/attic/a.ts", ""], "src/domain/attic/a.ts: in a room that has no place in the list"],
  ] as const)("%s", (_what, file, fault) => {
    expect(climbsIn(files(file))).toEqual([fault]);
  });

  test("a circle of types, of two and of three, and a file that imports itself", () => {
    const two = files(["src/a.ts", 'import type { B } from "./b.ts";'], ["src/b.ts", 'import { a } from "./a.ts";']);
    expect(circlesIn(two)).toEqual(["src/a.ts src/b.ts"]);
    const three = files(
      ["src/a.ts", 'export { b } from "./b.ts";'],
      ["src/b.ts", 'import { c } from "./c.ts";'],
      ["src/c.ts", 'await import("./a.ts");'],
    );
    expect(circlesIn(three)).toEqual(["src/a.ts src/b.ts src/c.ts"]);
    expect(circlesIn(files(["src/a.ts", 'import { a } from "./a.ts";']))).toEqual(["src/a.ts"]);
  });

  test("nothing where files only go down", () => {
    const down = files(
      ["src/domain/views/a.ts", 'import { b } from "../change/b.ts";'],
      ["src/domain/change/b.ts", 'import { c } from "../model/c.ts";'],
      ["src/domain/model/c.ts", ""],
    );
    expect([...climbsIn(down), ...circlesIn(down)]).toEqual([]);
  });
});
