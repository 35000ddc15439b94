import { isErrorCode, UsageError } from "../errors.ts";
import type { Facade } from "./facade.ts";
import { misuse, parseArguments } from "./options.ts";
import type { Io, Verb } from "./verb.ts";

type Loader = () => Promise<{ readonly verb: Verb }>;

/** Every verb, in the order of the help. Only the one that is used is loaded: start-up time is what a user feels. */
export const verbs: Readonly<Record<string, Loader>> = {
  define: () => import("./commands/define.ts"),
  undefine: () => import("./commands/undefine.ts"),
  list: () => import("./commands/list.ts"),
  info: () => import("./commands/info.ts"),
  config: () => import("./commands/config.ts"),
  start: () => import("./commands/start.ts"),
  shutdown: () => import("./commands/shutdown.ts"),
  destroy: () => import("./commands/destroy.ts"),
  restart: () => import("./commands/restart.ts"),
  reset: () => import("./commands/reset.ts"),
  suspend: () => import("./commands/suspend.ts"),
  resume: () => import("./commands/resume.ts"),
  setmem: () => import("./commands/setmem.ts"),
  setmaxmem: () => import("./commands/setmaxmem.ts"),
  setvcpus: () => import("./commands/setvcpus.ts"),
  vcpupin: () => import("./commands/vcpupin.ts"),
  vcpuinfo: () => import("./commands/vcpuinfo.ts"),
  diff: () => import("./commands/diff.ts"),
  revert: () => import("./commands/revert.ts"),
  persist: () => import("./commands/persist.ts"),
  apply: () => import("./commands/apply.ts"),
  recover: () => import("./commands/recover.ts"),
  qmp: () => import("./commands/qmp.ts"),
  events: () => import("./commands/events.ts"),
  completion: () => import("./commands/completion.ts"),
  types: () => import("./commands/types.ts"),
};

/** Verbs of virsh that mean the same here. */
const aliases: Readonly<Record<string, string>> = { dominfo: "info" };

/** What a command line of virsh would be here. */
const virshVerbs: Readonly<Record<string, string>> = {
  create: "define, then start",
  domstate: "info",
  domstats: "info",
  dommemstat: "info",
  vcpucount: "info",
  dumpxml: "config",
  edit: "config (it is a file: edit it)",
  reboot: "restart",
  setvcpu: "setvcpus",
  event: "events",
  "qemu-monitor-command": "qmp",
  "qemu-monitor-event": "events",
};

/** What a command line needs of the world around it. */
export interface World {
  readonly io: Io;
  readonly facade: Facade;
  readonly version: () => Promise<string>;
}

/** Runs one command line (without the program's own name) and resolves with the exit code; never rejects. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const { io } = world;
  const [first = "", ...rest] = argv;
  let loaded: { name: string; verb: Verb } | undefined;
  try {
    if (first === "--version" || first === "-V") return print(io, `qmpctl ${await world.version()}\n`);
    if (first === "help" || first === "--help" || first === "-h") return print(io, await helpOn(rest, io));
    const name = canonical(first);
    loaded = { name, verb: await load(name) };
    const args = parseArguments(rest, loaded.verb);
    if (args.flag("help")) return print(io, await helpOn([name], io));
    return await loaded.verb.run({ args, io, facade: world.facade });
  } catch (error) {
    const { exitCodeOfError, showFailure } = await import("./failure.ts");
    showFailure(error, io, wantsJson(argv));
    if (isErrorCode(error, "usage")) io.stderr.write(await usageAfter(loaded));
    return exitCodeOfError(error, io.signal);
  }
}

function canonical(name: string): string {
  return Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
}

async function load(name: string): Promise<Verb> {
  const loader = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (loader === undefined) throw await unknownVerb(name);
  return (await loader()).verb;
}

async function unknownVerb(name: string): Promise<UsageError> {
  const expected = "verb";
  if (name === "") return misuse("a verb is missing", name, expected);
  if (name.startsWith("-")) return misuse(`${name}: the verb comes first, options follow it`, name, expected);
  if (Object.hasOwn(virshVerbs, name)) return misuse(`${name}: that verb of virsh is here: ${virshVerbs[name] ?? ""}`, name, expected);
  const { nearest } = await import("./nearest.ts");
  const meant = nearest(name, [...Object.keys(verbs), "help"]);
  return misuse(`${name}: there is no such verb${meant === undefined ? "" : `, did you mean ${meant}?`}`, name, meant ?? expected);
}

// Wider lines are hard to read, however wide the terminal.
const longestLine = 100;

async function helpOn(names: readonly string[], { stdout }: Io): Promise<string> {
  const help = await import("./help.ts");
  const width = Math.min(stdout.columns ?? longestLine, longestLine);
  const [name] = names;
  if (name !== undefined) {
    return help.verbHelp(canonical(name), await load(canonical(name)), width);
  }
  const all = await Promise.all(Object.keys(verbs).map(async (each) => [each, await load(each)] as const));
  return help.overview(all, width);
}

async function usageAfter(loaded: { name: string; verb: Verb } | undefined): Promise<string> {
  const { usageLines } = await import("./help.ts");
  return loaded === undefined
    ? "usage: qmpctl VERB DOMAIN [OPERAND...] [--OPTION...]\nqmpctl help lists the verbs\n"
    : `${usageLines(loaded.verb)}qmpctl ${loaded.name} --help says more\n`;
}

// Asked of the raw words, since it also has to be known of a line that can't be parsed.
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return 0;
}
