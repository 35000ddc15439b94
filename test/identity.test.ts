import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { closing, codeOf } from "./code-text.ts";

/**
 * Whose machine it is has one answer, and what changes a machine asks for it: a connection, a signal and a look at who listens somewhere
 * are had in the room
 * that answers it, and nowhere else. See SCOPES.md, "Whose machine it is". Text is enough to see it: no types are asked.
 */
const SOURCES = new URL("../src/", import.meta.url).pathname;

/** The sources that the rules are about, by their paths in src/. */
type World = ReadonlyMap<string, string>;

/** What only some may take: of which file, which names, and who may. */
const KEPT: readonly { readonly of: RegExp; readonly names: RegExp; readonly by: RegExp }[] = [
  { of: /^qmp\/session\.ts$/, names: /^(connect|open)$/, by: /^domain\/machine\/(identity|open|find|monitor)\.ts$/ },
  { of: /^qmp\/(dial|handshake|session-of)\.ts$/, names: /./, by: /^$/ },
  // A guest's agent, if the QEMU that was looked for says that the channel is its own.
  { of: /^qmp\/guest-agent\.ts$/, names: /./, by: /^domain\/facts\/guest-agent\.ts$/ },
  // A QEMU of its own, without a machine, that is asked what it can do.
  { of: /^qmp\/spawn\.ts$/, names: /./, by: /^(cli\/commands\/types|domain\/lifecycle\/board)\.ts$/ },
  { of: /^wire\/(?!(address|errors|json|children)\.ts$)/, names: /./, by: /^$/ },
  { of: /^node:(net|tls|dgram|http|https)$/, names: /./, by: /^$/ },
  // The program itself once more, as another user.
  { of: /^node:child_process$/, names: /./, by: /^cli\/become\.ts$/ },
  { of: /^host\/signal\.ts$/, names: /^sendSignal$/, by: /^domain\/machine\/(identity|open|find|monitor)\.ts$/ },
  { of: /^host\/signal\.ts$/, names: /^identify$/, by: /^domain\/(machine\/(identity|open|find|monitor)|lifecycle\/launch)\.ts$/ },
  {
    of: /^host\/listeners\.ts$/,
    names: /./,
    by: /^domain\/machine\/(identity|open|monitor|verdict|find-address|process|running\/(keeper|monitors))\.ts$/,
  },
  // Who it is is worked out here; everybody else is handed it.
  { of: /^domain\/machine\/identity\.ts$/, names: /^Identity$/, by: /^domain\/(machine\/(find|find-address)|lifecycle\/launch)\.ts$/ },
];

/** How each verb comes to its machine: under its lock, by a look for it, or not at all. A new verb has to be put here. */
const VERBS: Readonly<Record<string, "lock" | "find" | "none">> = {
  ...Object.fromEntries(["change", "revert", "persist", "apply", "recover", "interrupted"].map((verb) => [verb, "lock"])),
  ...Object.fromEntries(
    ["define", "rewrite", "adopt", "takeOver", "undefine", "start", "restart", "shutdown", "reset", "suspend", "resume"].map((verb) => [
      verb,
      "lock",
    ]),
  ),
  // A unit is made of the config alone; what runs under it comes to its machine as a start does.
  ...Object.fromEntries(["unit", "autostart"].map((verb) => [verb, "none"])),
  // It helps where a change hangs, and waits for no lock; QMP of one's own takes none.
  ...Object.fromEntries(["destroy", "connect"].map((verb) => [verb, "find"])),
  ...Object.fromEntries(
    ["info", "vcpus", "disks", "threads", "memory", "stats", "history", "diff", "list", "running"].map((verb) => [verb, "find"]),
  ),
  ...Object.fromEntries(["name", "configPath", "config", "constructor"].map((verb) => [verb, "none"])),
};

/** What is about a host, and what came of earlier calls: it opens domains, or looks for each as `glance` does. */
const OF_A_HOST: readonly string[] = ["open", "outcome", "sample", "isElsewhere", "run"];

/** What gets at a running machine, or at its process. */
const AT_WORK = /\b(Monitor\.open|openSession|openReader|openFor)\(|\.signal\(/;

interface Taken {
  readonly file: string;
  readonly names: readonly string[];
}

function resolved(path: string, from: string): string {
  return from.startsWith(".") ? join(dirname(path), from) : from;
}

/** The values that a file takes of others: types are none. `*` stands for all that there is. */
function takenBy(path: string, text: string): readonly Taken[] {
  const code = withoutComments(text);
  const fixed = [...code.matchAll(/^(?:import|export)\s+(?!type\b)([\w$*{][\w$\s,*{}]*?)\s+from\s*["']([^"']+)["']/gm)].map(
    ([, what = "", from = ""]) => ({ file: resolved(path, from), names: what.includes("{") ? namesIn(what) : ["*"] }),
  );
  // What a file does with a module that it loads later can't be told from its text: it may be anything.
  const later = [...code.matchAll(/\bimport\(\s*["'`]([^"'`]+)["'`]\s*\)/g)].map(([, from = ""]) => ({
    file: resolved(path, from),
    names: ["*"],
  }));
  return [...fixed, ...later];
}

function namesIn(braces: string): readonly string[] {
  const inside = /\{([^}]*)\}/.exec(braces)?.[1] ?? "";
  return inside
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "" && !each.startsWith("type "))
    .map((each) => each.split(/\s+as\s+/)[0] ?? "");
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
    found.startsWith("/") ? "" : found,
  );
}

/** What a file of the domain or of the command line takes that it may not. */
function takingFaults(path: string, text: string): readonly string[] {
  const ways = takenBy(path, text).flatMap(({ file, names }) =>
    KEPT.filter(({ of }) => of.test(file)).flatMap((kept) =>
      names
        .filter((name) => name === "*" || kept.names.test(name))
        .filter(() => !kept.by.test(path))
        .map((name) => `takes ${name} of ${file}`),
    ),
  );
  const made =
    /\bnew\s+Identity\s*\(/.test(codeOf(text)) && !/^domain\/(machine\/(find|find-address)|lifecycle\/launch)\.ts$/.test(path)
      ? ["makes an identity of its own"]
      : [];
  return [...new Set([...ways, ...made])].map((fault) => `${path}: ${fault}`);
}

/** Each file is looked at often, and is the same nearly always. */
function remembered<T>(look: (one: string, other: string) => T): (one: string, other: string) => T {
  const known = new Map<string, T>();
  return (one, other) => {
    const key = `${one}\0${other}`;
    const found = known.get(key) ?? look(one, other);
    known.set(key, found);
    return found;
  };
}

const takingFaultsOf = remembered(takingFaults);
const functionsOf = remembered((text, indent) => functionsIn(text, indent as "" | "  "));

/** The functions of a file, or the methods of its class, by their names, with the code of each. */
function functionsIn(text: string, indent: "" | "  "): ReadonlyMap<string, string> {
  const code = codeOf(text);
  const heads =
    indent === ""
      ? /^(?:export )?(?:async )?function\*? ([\w$]+)/gm
      : /^ {2}(?:static |async |get |private |\*)*([#\w$]+|\[[\w.]+\])\s*(?:<[^(]*>)?\(/gm;
  return new Map(
    [...code.matchAll(heads)].map((head) => {
      const parameters = code.indexOf("(", head.index + head[0].length - (indent === "" ? 0 : 1));
      // A type of its own may come between: the body is the brace that ends its line.
      const open = /\{\n/g;
      open.lastIndex = closing(code, parameters);
      const at = open.exec(code)?.index ?? code.length;
      // As it stands, so that what it loads can be read.
      return [head[1] ?? "", text.slice(at, closing(code, at) + 1)] as const;
    }),
  );
}

/** A module that is loaded, and a function of it that is called at once. */
const LOADED_AND_CALLED = /\(await import\("([^"]*)"\)\)\.(\w+)\(/g;

/** Where the names of a piece of code come from: what the file takes, and what the piece loads itself. */
function comingFrom(path: string, text: string, piece: string): ReadonlyMap<string, string> {
  const fixed = takenBy(path, text).flatMap(({ file, names }) => names.filter((name) => name !== "*").map((name) => [name, file] as const));
  const froms = [...piece.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map(([, from = ""]) => resolved(path, from));
  const bound = [...piece.matchAll(/const\s+(.+?)\s*=\s*await\s+(?:Promise\.all\(\[)?import\(/g)].flatMap(([, what = ""]) =>
    [...what.matchAll(/\{([^}]*)\}/g)].map(([braces]) => namesIn(braces)),
  );
  const later = bound.flatMap((names, position) => names.map((name) => [name, froms[position] ?? ""] as const));
  const atOnce = [...piece.matchAll(LOADED_AND_CALLED)].map(([, from = "", name = ""]) => [name, resolved(path, from)] as const);
  return new Map([...fixed, ...later, ...atOnce]);
}

/** Whether a piece of code comes to one of these functions, itself or by what it calls. */
function comesTo(world: World, path: string, piece: string, wanted: ReadonlySet<string>, seen: Set<string> = new Set()): boolean {
  const text = world.get(path) ?? "";
  const called = new Set(
    // What a module that is loaded gives is called as a name of the file's own would be.
    [
      ...codeOf(piece)
        .replace(LOADED_AND_CALLED, "$2(")
        .matchAll(/(?<![.\w$])(this\.)?([#\w$]+)\s*(?:<[^()]*>)?\(/g),
    ].map(([, own = "", name = ""]) => `${own}${name}`),
  );
  const [functions, methods] = [functionsOf(text, ""), functionsOf(text, "  ")];
  const from = comingFrom(path, text, piece);
  return [...called].some((name) => {
    const key = `${path} ${name}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const file = from.get(name);
    if (file !== undefined && wanted.has(name)) return /^domain\/machine\/(find|lock|connect)\.ts$/.test(file);
    if (file !== undefined) return comesTo(world, file, functionsOf(world.get(file) ?? "", "").get(name) ?? "", wanted, seen);
    const body = name.startsWith("this.") ? methods.get(name.slice("this.".length)) : functions.get(name);
    return body !== undefined && comesTo(world, path, body, wanted, seen);
  });
}

/** Verbs of a host that have a file of their own, and the function that each begins with. */
const IN_FILES: readonly (readonly [verb: string, file: string, start: string])[] = [
  ["running", "domain/lifecycle/running/list-running.ts", "listRunning"],
  ["adopt", "domain/lifecycle/running/adopt.ts", "adoptRunning"],
  ["takeOver", "domain/lifecycle/import/import-domain.ts", "importDomain"],
];

/** What is wrong with the verbs of the library's Domain, and with those that the command line asks of it. */
function verbFaults(world: World): readonly string[] {
  const path = "domain/local.ts";
  const verbs = [...functionsIn(world.get(path) ?? "", "  ")].filter(([name]) => /^\w+$/.test(name));
  const listed = functionsIn(world.get("domain/views/list.ts") ?? "", "").get("listDomains") ?? "";
  return [
    ...verbs.flatMap(([name, body]) => verbFault(world, path, name, body)),
    ...verbFault(world, "domain/views/list.ts", "list", listed),
    ...IN_FILES.flatMap(([name, file, start]) => verbFault(world, file, name, functionsIn(world.get(file) ?? "", "").get(start) ?? "")),
    ...verbFault(world, "domain/domain.ts", "define", functionsIn(world.get("domain/domain.ts") ?? "", "  ").get("define") ?? ""),
    ...["Domain", "Facade"]
      .flatMap((name) => membersOf(world.get("domain/facade.ts") ?? "", name))
      .filter((name) => !(name in VERBS) && !OF_A_HOST.includes(name))
      .map((name) => `the command line's ${name}: nobody has said how it comes to its machine`),
  ];
}

function verbFault(world: World, path: string, name: string, body: string): readonly string[] {
  const how = VERBS[name];
  if (how === undefined) return [`${name}: nobody has said how it comes to its machine`];
  if (how === "none") return AT_WORK.test(codeOf(body)) ? [`${name}: works on the machine`] : [];
  const wanted = new Set(how === "lock" ? ["lockMachine"] : ["lockMachine", "findMachine"]);
  return comesTo(world, path, body, wanted)
    ? []
    : [`${name}: goes round ${how === "lock" ? "the machine's lock" : "the look for the machine"}`];
}

function membersOf(text: string, name: string): readonly string[] {
  const code = codeOf(text);
  const from = code.indexOf("{", code.indexOf(`interface ${name} `));
  return [...code.slice(from, closing(code, from)).matchAll(/^ {2}(?:readonly )?(\w+)[(:?]/gm)].map(([, member = ""]) => member);
}

/** Nothing is done to a machine before its lock is held. */
function orderFaults(world: World): readonly string[] {
  return [...world].flatMap(([path, text]) =>
    [...functionsOf(text, "")]
      .filter(([, body]) => AT_WORK.test(codeOf(body).split("lockMachine(")[0] ?? "") && codeOf(body).includes("lockMachine("))
      .map(([name]) => `${path}: ${name} works on the machine before it has the lock`),
  );
}

function faultsOf(world: World): readonly string[] {
  return [...[...world].flatMap(([path, text]) => takingFaultsOf(path, text)), ...verbFaults(world), ...orderFaults(world)];
}

async function sources(): Promise<Map<string, string>> {
  const names = (await readdir(SOURCES, { recursive: true })).filter((name) => /^(domain|cli)\/.*\.ts$/.test(name));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(SOURCES, name), "utf8")] as const)));
}

const WORLD = await sources();
/** What is wrong already, so that only the test for it fails. */
const NOW: ReadonlySet<string> = new Set(faultsOf(WORLD));

test("what is done to a machine is done to the one that was looked for, under its lock", () => {
  expect(WORLD.size).toBeGreaterThan(100);
  expect([...NOW]).toEqual([]);
});

test("the verbs are all there to be looked at, and each that is spoken of is there", () => {
  const there = [...functionsIn(WORLD.get("domain/local.ts") ?? "", "  ").keys()].filter((name) => /^\w+$/.test(name));
  expect([...there, "list", "define", ...IN_FILES.map(([name]) => name)].sort()).toEqual(Object.keys(VERBS).sort());
  expect(membersOf(WORLD.get("domain/facade.ts") ?? "", "Domain")).toEqual(
    expect.arrayContaining(["name", "change", "recover", "connect"]),
  );
  expect(membersOf(WORLD.get("domain/facade.ts") ?? "", "Facade")).toEqual([
    "isElsewhere",
    "open",
    "define",
    "run",
    "list",
    "sample",
    "running",
    "adopt",
    "takeOver",
    "outcome",
  ]);
});

test("the library's Domain asks its end point for each of them, by the same name", () => {
  const asked = [...functionsIn(WORLD.get("domain/domain.ts") ?? "", "  ")].filter(
    ([name]) => name in VERBS && !["constructor", "define"].includes(name),
  );
  expect(asked.length).toBeGreaterThan(20);
  for (const [name, body] of asked) expect(body).toContain(`return this.#at.${name}`);
});

/** The sources with a file more, or one in the place of another. */
function withFile(path: string, text: string): World {
  return new Map([...WORLD, [path, text]]);
}

/** The domain with one verb more, or another in the place of one. */
function withVerb(name: string, body: string, parameters = ""): World {
  const text = WORLD.get("domain/local.ts") ?? "";
  const at = text.lastIndexOf("}\n");
  const without = text.replace(new RegExp(`^ {2}(async )?${name}\\([\\s\\S]*?^ {2}\\}\n`, "m"), "");
  const end = without === text ? at : without.lastIndexOf("}\n");
  return withFile(
    "domain/local.ts",
    `${without.slice(0, end)}  async ${name}(${parameters}): Promise<void> {\n${body}\n  }\n\n${without.slice(end)}`,
  );
}

describe("the check catches", () => {
  test.each<readonly [string, World, RegExp]>([
    [
      "a connection of one's own",
      withFile("domain/views/inspect.ts", `${WORLD.get("domain/views/inspect.ts")}\nimport { connect } from "../../qmp/session.ts";\n`),
      /^domain\/views\/inspect\.ts: takes connect of qmp\/session\.ts$/,
    ],
    [
      "one by another name",
      withFile("domain/new.ts", 'import { connect as dial, type Session } from "../qmp/session.ts";'),
      /^domain\/new\.ts: takes connect of/,
    ],
    [
      "one over several lines",
      withFile("domain/new.ts", 'import {\n  type Session,\n  open,\n} from "../qmp/session.ts";'),
      /^domain\/new\.ts: takes open of/,
    ],
    ["one among all the rest", withFile("domain/new.ts", 'import * as qmp from "../qmp/session.ts";'), /^domain\/new\.ts: takes \* of/],
    [
      "one that is loaded later",
      withFile("domain/new.ts", 'const { connect } = await import("../qmp/session.ts");'),
      /^domain\/new\.ts: takes \* of/,
    ],
    [
      "one that is handed on",
      withFile("domain/new.ts", 'export { connect } from "../qmp/session.ts";'),
      /^domain\/new\.ts: takes connect of/,
    ],
    [
      "one beneath the sessions",
      withFile("domain/new.ts", 'import { dial } from "../qmp/dial.ts";'),
      /^domain\/new\.ts: takes dial of qmp\/dial\.ts$/,
    ],
    [
      "one beneath those",
      withFile("domain/machine/new.ts", 'import { openSocket } from "../../wire/socket.ts";'),
      /^domain\/machine\/new\.ts: takes openSocket of wire\/socket\.ts$/,
    ],
    [
      "one of Node's own",
      withFile("domain/new.ts", 'import { createConnection } from "node:net";'),
      /^domain\/new\.ts: takes createConnection of node:net$/,
    ],
    [
      "a signal of one's own",
      withFile("domain/lifecycle/new.ts", 'import { isStillThere, sendSignal } from "../../host/signal.ts";'),
      /^domain\/lifecycle\/new\.ts: takes sendSignal of/,
    ],
    [
      "a process known by its id alone",
      withFile("domain/lifecycle/new.ts", 'import { identify } from "../../host/signal.ts";'),
      /takes identify of/,
    ],
    [
      "a look at who listens",
      withFile(
        "domain/facts/live.ts",
        `${WORLD.get("domain/facts/live.ts")}\nimport { listenersOnUnix } from "../../host/listeners.ts";\n`,
      ),
      /^domain\/facts\/live\.ts: takes listenersOnUnix of/,
    ],
    [
      "an identity of one's own",
      withFile("domain/new.ts", 'import { Identity } from "./machine/identity.ts";\nconst machine = new Identity({ pid: 1 });'),
      /^domain\/new\.ts: (takes Identity of|makes an identity)/,
    ],
    [
      "a connection of the command line's",
      withFile("cli/commands/new.ts", 'import { connect } from "../../qmp/session.ts";'),
      /^cli\/commands\/new\.ts: takes connect of/,
    ],
    [
      "a signal of the command line's",
      withFile("cli/new.ts", 'const { sendSignal } = await import("../host/signal.ts");'),
      /^cli\/new\.ts: takes \* of host\/signal\.ts$/,
    ],
    [
      "a verb that nobody has looked at",
      withVerb(
        "migrate",
        '    const { lockMachine } = await import("./machine/lock.ts");\n    await using held = await lockMachine(this.#place);',
      ),
      /^migrate: nobody has said/,
    ],
    [
      "a verb that the command line alone has",
      withFile(
        "domain/facade.ts",
        (WORLD.get("domain/facade.ts") ?? "").replace(
          "  reset(options",
          "  migrate(options: ReadOptions): Promise<void>;\n  reset(options",
        ),
      ),
      /^the command line's migrate: nobody/,
    ],
    [
      "a verb that only looks for the machine that it changes",
      withVerb(
        "reset",
        '    const { findMachine } = await import("./machine/find.ts");\n    const { openSession } = await import("./machine/open.ts");\n    const { readStored } = await import("./machine/lock.ts");\n    const { machine } = await findMachine(this.#place, await readStored(this.#place));\n    if (machine !== null) await (await openSession(machine, { by: deadlineIn(1) })).execute("system_reset");',
      ),
      /^reset: goes round the machine's lock$/,
    ],
    [
      "a verb that does not even look",
      withVerb("destroy", '    const { end } = await import("./lifecycle/new.ts");\n    await end(this.#place);'),
      /^destroy: goes round the look for the machine$/,
    ],
    [
      "a verb with a lock that only has the name",
      withVerb("start", "    await lockMachine(this.#place);\n  }\n\n  async #other() {\n    function lockMachine() {}"),
      /^start: goes round/,
    ],
    [
      "a verb whose function has lost its lock",
      withFile(
        "domain/lifecycle/power.ts",
        (WORLD.get("domain/lifecycle/power.ts") ?? "").replace(/await lockMachine\(place, [^)]*\)/, "await held(place)"),
      ),
      /^(reset|suspend|resume): goes round the machine's lock$/,
    ],
    [
      "work before the lock is there",
      withFile(
        "domain/lifecycle/power.ts",
        (WORLD.get("domain/lifecycle/power.ts") ?? "").replace(
          "  await using held = await lockMachine",
          "  await using early = await Monitor.open(target, {});\n  await using held = await lockMachine",
        ),
      ),
      /^domain\/lifecycle\/power\.ts: command works on the machine before it has the lock$/,
    ],
  ])("%s", (_what, world, fault) => {
    const faults = faultsOf(world).filter((each) => !NOW.has(each));
    expect(faults).not.toEqual([]);
    for (const each of faults) expect(each).toMatch(fault);
  });

  test("a signal by the one that may only name a process", () => {
    expect(takingFaults("domain/lifecycle/launch.ts", 'import { identify, sendSignal } from "../../host/signal.ts";')).toEqual([
      "domain/lifecycle/launch.ts: takes sendSignal of host/signal.ts",
    ]);
  });

  test("nothing in a file that asks who the machine is", () => {
    const text =
      'import type { Session } from "../qmp/session.ts";\nimport { type Session as Other, type connect } from "../qmp/session.ts";\n// import { connect } from "../qmp/session.ts"\nimport { openSession } from "./machine/open.ts";\nimport type { Identity } from "./machine/identity.ts";\nimport { isStillThere } from "../host/signal.ts";\n';
    expect(faultsOf(withFile("domain/new.ts", text))).toEqual([...NOW]);
  });
});
