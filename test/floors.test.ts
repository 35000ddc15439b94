import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Import, importsOf, withoutComments } from "./imports.ts";

const SOURCES = new URL("../src/", import.meta.url).pathname;
const FLOORS: ReadonlyMap<string, number> = new Map(
  [
    ["node-version.ts", "builtin-module.ts", "deadline.ts"],
    ["errors.ts", "digest.ts", "nearest.ts", "shape.ts", "file-status.ts", "node-supported.ts"],
    ["wire", "schema", "host", "config"],
    ["qmp"],
    ["domain"],
    ["remote"],
    ["cli", "testing", "index.ts"],
    ["ansible"],
  ].flatMap((names, floor) => names.map((name) => [name, floor + 1] as const)),
);
const PACKAGES: ReadonlySet<string> = new Set(["zod/v3"]);
const MOST_LINES = 250;

/** What may be taken of the running process, and where: a library changes nothing of its host but what it is asked to. */
const PROCESS_USE: readonly (readonly [where: RegExp, what: RegExp])[] = [
  [/^cli\/(main|far|far-process|far-alone)\.ts$/, /./],
  // Signals to others, and our own pid in a lock file.
  [/^host\//, /^(kill|pid)$/],
  // Whom files of ours belong to; userInfo() fails for a user that no list knows.
  [/^(host\/(lock-file|cgroup-unit|systemd-tool|timers|at-job)|config\/own-user)\.ts$/, /^geteuid$/],
  // The environment's names for folders, and for ssh, where the caller gives none.
  [/^(domain\/machine\/place|remote\/dial-host|remote\/fleet\/(hosts-in|jumps))\.ts$/, /^env( as \w+)?$/],
  // Who writes a record of a change, or a config's next text.
  [/^(domain\/change\/journal|config\/store)\.ts$/, /^pid( as \w+)?$/],
  // Who changes a machine, for its history.
  [/^domain\/machine\/caller\.ts$/, /^(argv|env|pid)$/],
  // What QEMU's own -daemonize sets for it: a child has it from us, and we put it back.
  [/^host\/background\.ts$/, /^umask$/],
  // The Node that a timer of the host's is to run.
  [/^host\/own-program\.ts$/, /^execPath$/],
  // What its looks at machines cost, which are to cost little.
  [/^domain\/views\/sampler\.ts$/, /^cpuUsage$/],
  // Whether this Node will do.
  [/^node-supported\.ts$/, /^version$/],
  // What the host's tools are run with.
  [/^host\/programs\.ts$/, /^env$/],
  // The emulator that replays is a program of its own.
  [/^testing\//, /./],
];

/** What may use `process` without an import: programs, what becomes another user, and a screen that has to give its terminal back. */
const MAY_TOUCH: readonly string[] = [
  ...["cli/main.ts", "cli/far.ts", "cli/far-process.ts", "cli/far-alone.ts", "cli/launcher.ts", "cli/become.ts"],
  ...["cli/top/terminal.ts", "ansible/module-process.ts"],
];

/** Every way in which a source file breaks the rules of the house. `path` is relative to src/. */
function faultsOf(path: string, text: string): readonly string[] {
  const code = withoutComments(text);
  const faults = [
    ...importsOf(code).flatMap((it) => [...importFaults(path, it.from), ...processFaults(path, it)]),
    ...(/\bexport\s+default\b|\bas\s+default\b/.test(code) ? ["has a default export"] : []),
    ...(/(^|[/-])(utils?|helpers?|common|misc)([.-]|\/|$)/.test(path) ? ["is named for nothing"] : []),
    ...(text.trimEnd().split("\n").length > MOST_LINES && !text.startsWith("// generated") ? [`has more than ${MOST_LINES} lines`] : []),
    ...(!MAY_TOUCH.includes(path) && touchesProcess(code) ? ["touches `process`"] : []),
    ...(path === "index.ts" &&
    code
      .replace(/^import "\.\/(node-supported|remote\/register)\.ts";$/gm, "")
      .replace(/export\s+(type\s+)?(\*|\{[^}]*\})\s+from\s+"[^"]+";/g, "")
      .trim()
      ? ["has logic: only names belong here"]
      : []),
    // A verb documents itself, to the user.
    ...(path.startsWith("cli/commands/") ? [] : undocumented(text)).map((name) => `exports ${name} without a docstring`),
  ];
  return faults.map((fault) => `${path}: ${fault}`);
}

function importFaults(path: string, from: string): readonly string[] {
  if (from.startsWith("node:") || PACKAGES.has(from)) return [];
  if (!from.startsWith(".")) return [`imports the package ${from}`];
  if (!from.endsWith(".ts")) return [`imports ${from} without its ending`];
  const target = join(path, "..", from);
  const [own, other] = [folderOf(path), folderOf(target)];
  if (own === other) return [];
  const [here, there] = [FLOORS.get(own), FLOORS.get(other)];
  if (here === undefined) return [`stands on no floor (${own})`];
  if (there === undefined) return [`imports ${from}, which stands on no floor`];
  return there < here ? [] : [`imports ${target}, which is not beneath it`];
}

function processFaults(path: string, { from, names }: Import): readonly string[] {
  if (from !== "node:process") return [];
  const allowed = PROCESS_USE.filter(([where]) => where.test(path)).map(([, what]) => what);
  const taken = names.length > 0 ? names : ["all of it"];
  return taken.filter((name) => !allowed.some((what) => what.test(name))).map((name) => `takes ${name} from node:process`);
}

/** Whether it reaches for the global `process`; a value of its own may be called so too, and have an argv. */
function touchesProcess(code: string): boolean {
  const reaches = /(?<![.\w$])process\??\.(env|exit|exitCode|std\w+|on|once|kill|cwd|getuid|umask)\b/;
  const reachesWords = /(?<![.\w$])process\??\.argv\b/;
  const hasOne = /[({,]\s*process\s*[:,})]|\bconst process\b/.test(code);
  const own = code.replace(/"(?:\\.|[^"\\\n])*"/g, "");
  return (reaches.test(own) || (reachesWords.test(own) && !hasOne)) && !/^import process\b/m.test(code);
}

function undocumented(text: string): readonly string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const name = /^export (?:abstract |async )?(?:function\*?|class|const|interface|type) (\w+)/.exec(line)?.[1];
    if (name === undefined || lines[index - 1]?.trimEnd().endsWith("*/")) return [];
    // Further signatures of one function share the docstring of the first.
    return lines.slice(0, index).some((earlier) => new RegExp(`^export (async )?function ${name}\\b`).test(earlier)) ? [] : [name];
  });
}

function folderOf(path: string): string {
  return path.split("/")[0] ?? path;
}

describe("the floors of src/", async () => {
  const names = await readdir(SOURCES, { recursive: true });
  const paths = names.filter((name) => name.endsWith(".ts")).sort();

  test("are all there to be looked at", () => {
    expect(new Set(paths.map(folderOf))).toEqual(new Set(FLOORS.keys()));
  });

  test.each(paths)("%s keeps the rules", async (path) => {
    expect(faultsOf(path, await readFile(join(SOURCES, path), "utf8"))).toEqual([]);
  });
});

describe("the check of the floors catches", () => {
  test.each([
    ["a climb", "wire/socket.ts", 'import { connect } from "../qmp/session.ts";', /qmp\/session\.ts, which is not beneath it/],
    [
      "siblings that meet",
      "wire/socket.ts",
      'import type { Message } from "../schema/message.ts";',
      /schema\/message\.ts, which is not beneath it/,
    ],
    ["siblings that meet in passing", "config/store.ts", 'const { acquireLock } = await import("../host/lock.ts");', /host\/lock\.ts/],
    ["an import over several lines", "host/lock.ts", 'import {\n  type Plan,\n  plan,\n} from "../domain/plan.ts";', /domain\/plan\.ts/],
    ["a re-export from above", "errors.ts", 'export { run } from "./cli/command.ts";', /cli\/command\.ts/],
    ["a package that is not ours", "qmp/session.ts", 'import ws from "ws";', /imports the package ws/],
    ["the slower half of zod", "schema/replies.ts", 'import { z } from "zod";', /imports the package zod$/],
    ["a folder outside", "domain/plan.ts", 'import { guest } from "../../test/qemu/guest.ts";', /stands on no floor/],
    ["an import without its ending", "qmp/call.ts", 'import { pending } from "./pending";', /without its ending/],
    ["a default export", "cli/output.ts", "export default function print() {}", /default export/],
    ["a file named for nothing", "domain/string-utils.ts", "", /named for nothing/],
    ["a file that is too long", "domain/plan.ts", "\n;".repeat(251), /more than 250 lines/],
    ["the process, touched", "domain/start.ts", "const home = process.env.HOME;", /touches `process`/],
    ["the process's words, touched", "domain/start.ts", "const [, script] = process.argv;", /touches `process`/],
    [
      "the process, touched where another is called so",
      "domain/start.ts",
      "const run = ({ process }: Found) => process.kill(process.pid);",
      /touches `process`/,
    ],
    ["the mask of new files, out of its place", "host/lock.ts", 'import { umask } from "node:process";', /takes umask from node:process/],
    [
      "who we are, out of its place",
      "config/locate.ts",
      'import { pid as ownPid } from "node:process";',
      /takes pid as ownPid from node:process/,
    ],
    ["the process, imported", "qmp/session.ts", 'import { exit } from "node:process";', /takes exit from node:process/],
    ["the process, imported whole", "host/lock.ts", 'import process from "node:process";', /takes all of it/],
    ["logic among the public names", "index.ts", 'export { connect } from "./qmp/session.ts";\nconst started = Date.now();', /has logic/],
    ["an export without a word on it", "host/cpulist.ts", "export function parseCpuList() {}", /exports parseCpuList without a docstring/],
  ])("%s", (_, path, text, fault) => {
    expect(faultsOf(path, text)).toEqual([expect.stringMatching(fault)]);
  });

  test("nothing in a file that has a process of its own", () => {
    for (const text of [
      "const words = ({ process }: Found) => process.argv;",
      "function read(process: Process) { return process.argv; }",
      "const { process, words } = found; read(process.argv);",
      "const process = await processAt(pid); read(process.argv);",
    ])
      expect(faultsOf("domain/start.ts", text)).toEqual([]);
  });

  test("nothing in a file that keeps them", () => {
    const text =
      '// import { x } from "../cli/main.ts"\nimport { z } from "zod/v3";\nimport { QmpctlError } from "../errors.ts";\n/** A name. */\nexport const name: string = "process.env";\n';
    expect(faultsOf("schema/message.ts", text)).toEqual([]);
  });
});
