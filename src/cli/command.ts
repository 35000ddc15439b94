import { isErrorCode } from "../errors.ts";
import { EXIT, exitCodeOfError } from "./exit-code.ts";
import { ElsewhereError, misuse, parseArguments } from "./options.ts";
import type { Call, Io, There, Verb, World } from "./verb.ts";

type Loader = () => Promise<{ readonly verb: Verb }>;

/** Every verb, in the order of the help. Only the verb that is used is loaded, because the user feels the start-up time. */
export const verbs: Readonly<Record<string, Loader>> = {
  define: () => import("./commands/define.ts"),
  undefine: () => import("./commands/undefine.ts"),
  import: () => import("./commands/import.ts"),
  list: () => import("./commands/list.ts"),
  info: () => import("./commands/info.ts"),
  stats: () => import("./commands/stats.ts"),
  metrics: () => import("./commands/metrics.ts"),
  top: () => import("./commands/top.ts"),
  config: () => import("./commands/config.ts"),
  edit: () => import("./commands/edit.ts"),
  start: () => import("./commands/start.ts"),
  shutdown: () => import("./commands/shutdown.ts"),
  destroy: () => import("./commands/destroy.ts"),
  restart: () => import("./commands/restart.ts"),
  reset: () => import("./commands/reset.ts"),
  run: () => import("./commands/run.ts"),
  autostart: () => import("./commands/autostart.ts"),
  unit: () => import("./commands/unit.ts"),
  suspend: () => import("./commands/suspend.ts"),
  resume: () => import("./commands/resume.ts"),
  setmem: () => import("./commands/setmem.ts"),
  plugmem: () => import("./commands/plugmem.ts"),
  unplugmem: () => import("./commands/unplugmem.ts"),
  setmaxmem: () => import("./commands/setmaxmem.ts"),
  memstat: () => import("./commands/memstat.ts"),
  balance: () => import("./commands/balance.ts"),
  setvcpus: () => import("./commands/setvcpus.ts"),
  setvcpu: () => import("./commands/setvcpu.ts"),
  vcpupin: () => import("./commands/vcpupin.ts"),
  vcpusched: () => import("./commands/vcpusched.ts"),
  vcpuinfo: () => import("./commands/vcpuinfo.ts"),
  threads: () => import("./commands/threads.ts"),
  emulatorpin: () => import("./commands/emulatorpin.ts"),
  emulatorsched: () => import("./commands/emulatorsched.ts"),
  iothreadadd: () => import("./commands/iothreadadd.ts"),
  iothreaddel: () => import("./commands/iothreaddel.ts"),
  iothreadset: () => import("./commands/iothreadset.ts"),
  iothreadpin: () => import("./commands/iothreadpin.ts"),
  iothreadsched: () => import("./commands/iothreadsched.ts"),
  vhostpin: () => import("./commands/vhostpin.ts"),
  setcpu: () => import("./commands/setcpu.ts"),
  domblklist: () => import("./commands/domblklist.ts"),
  blkdeviotune: () => import("./commands/blkdeviotune.ts"),
  "change-media": () => import("./commands/change-media.ts"),
  blockresize: () => import("./commands/blockresize.ts"),
  attach: () => import("./commands/attach.ts"),
  detach: () => import("./commands/detach.ts"),
  diff: () => import("./commands/diff.ts"),
  revert: () => import("./commands/revert.ts"),
  persist: () => import("./commands/persist.ts"),
  apply: () => import("./commands/apply.ts"),
  history: () => import("./commands/history.ts"),
  recover: () => import("./commands/recover.ts"),
  qmp: () => import("./commands/qmp.ts"),
  events: () => import("./commands/events.ts"),
  outcome: () => import("./commands/outcome.ts"),
  ansible: () => import("./commands/ansible.ts"),
  completion: () => import("./commands/completion.ts"),
  serve: () => import("./commands/serve.ts"),
  schema: () => import("./commands/schema.ts"),
  man: () => import("./commands/man.ts"),
  types: () => import("./commands/types.ts"),
};

/** Runs one command line (without the program's own name) and resolves with the exit code; never rejects. */
export async function run(given: readonly string[], world: World): Promise<number> {
  const { io } = world;
  let argv = given;
  let loaded: { name: string; verb: Verb } | undefined;
  let domain: string | undefined;
  try {
    let host: string | undefined = io.env["QMPCTL_HOST"] || undefined;
    let there: There = {};
    if (HOST.test(given[0] ?? "")) ({ host, argv, ...there } = (await import("./elsewhere.ts")).withoutHost(given, host));
    if (argv.length === 0) return print(io, await firstSteps(io));
    if (argv[0] === "__complete") return print(io, await completed(argv.slice(1), world));
    const [first = "", ...rest] = await verbInFront(argv);
    if (VERSION.has(first)) return print(io, `qmpctl ${await world.version()}\n`);
    if (HELP.has(first)) return print(io, await helpOn(rest, io));
    const { name, words: typed } = await meant(first, rest, io.env);
    let words = typed;
    loaded = { name, verb: await load(name) };
    if (words.some((word) => OF_FLEETS.test(word))) ({ words, there } = (await import("./elsewhere.ts")).withoutFleetWords(words, there));
    const args = await parseArguments(words, loaded.verb, async (option) =>
      (await import("./habits.ts")).wayOfOption(name, option, rest[0]),
    );
    if (loaded.verb.operands.names[0] === "DOMAIN") domain = args.operands[0];
    if (args.flag("help")) return print(io, await helpOn([name], io));
    let call: Call = { args, io, facade: world.facade, serve: world.serve };
    const { many, ...others } = there;
    if ((await loaded.verb.isOfSeveral?.(args)) === true) [domain, there, call] = [undefined, others, { ...call, host, many }];
    if (host !== undefined || domain?.startsWith("ssh://") === true || Object.keys(there).length > 0) {
      const { callThere, fleetIn } = await import("./elsewhere.ts");
      const many = fleetIn(host, domain, there);
      if (many !== undefined) return await (await import("./fleet/fleet.ts")).runFleet({ ...loaded, args, meant: many, how: there, world });
      const { domain: address, ...of } = await callThere(host, there, { world, typed: domain, answers: ANSWERS.has(name) });
      domain = address;
      call = { ...call, ...of };
    }
    return await loaded.verb.run(call);
  } catch (error) {
    const [{ showFailure }, { adviceOn }] = await Promise.all([import("./failure.ts"), import("./advice.ts")]);
    await showFailure(error, io, wantsJson(argv), await adviceOn(error, { verb: loaded?.name, domain }));
    if (isErrorCode(error, "usage") && !(error instanceof ElsewhereError)) io.stderr.write(await usageAfter(loaded, io));
    return exitCodeOfError(error, io.signal);
  }
}

/** Verbs that print what a machine says, or a file of it, as it is. */
const ANSWERS: ReadonlySet<string> = new Set(["config", "qmp", "events", "types", "unit"]);

/** An option that names other hosts, or how they are worked with, in front of the verb. */
const HOST = /^(-H|--(host|remote-node|inventory|at-once|stop-after)(=|$)|--(installed|where-possible)$)/;
/** Those of many hosts may also stand behind it. */
const OF_FLEETS = /^--(at-once|stop-after)(=|$)|^--where-possible$/;

const HELP: ReadonlySet<string> = new Set(["help", "--help", "-h"]);
const VERSION: ReadonlySet<string> = new Set(["version", "--version", "-V", "-v"]);

/** The words with the verb moved in front of its options. */
async function verbInFront(argv: readonly string[]): Promise<readonly string[]> {
  const [first = ""] = argv;
  if (!first.startsWith("-") || HELP.has(first) || VERSION.has(first)) return argv;
  const [{ verbFirst }, { aliases }, { wayOfOption }, all] = await Promise.all([
    import("./verb-first.ts"),
    import("./aliases.ts"),
    import("./habits.ts"),
    loadAll(),
  ]);
  const isVerb = (word: string): boolean => Object.hasOwn(verbs, word) || Object.hasOwn(aliases, word);
  return verbFirst(
    argv,
    all.map(([, verb]) => verb),
    isVerb,
    async (option) => wayOfOption("", option),
  );
}

/** What the scripts of `completion` ask for: the possible next words, one a line. */
async function completed(typed: readonly string[], world: World): Promise<string> {
  const { env } = world.io;
  const [{ candidates, FILES }, { ownDomains }, { aliases }] = await Promise.all([
    import("./candidates.ts"),
    import("./completion-domains.ts"),
    import("./aliases.ts"),
  ]);
  const isHosted = HOST.test(typed[0] ?? "") || Boolean(env["QMPCTL_HOST"]) || typed.some((word) => /^ssh?:?\/?/.test(word));
  const line = isHosted
    ? await (await import("./hosted-completion.ts")).hostedLine(typed, world, FILES)
    : { words: typed, domains: ownDomains(env) };
  const verbOf = (word: string): string | undefined =>
    Object.hasOwn(verbs, word) ? word : Object.hasOwn(aliases, word) ? aliases[word]?.verb : undefined;
  const words = "offered" in line ? line.offered : await candidates(line.words, { names: Object.keys(verbs), load, verbOf, ...line });
  return words.map((each) => `${each}\n`).join("");
}

/** One of our verbs, and its words. */
interface Meant {
  readonly name: string;
  readonly words: readonly string[];
}

/** Finds the verb that a name stands for, ours or another program's. @throws UsageError when there is none, with what to do instead */
async function meant(name: string, rest: readonly string[], env: Io["env"]): Promise<Meant> {
  if (Object.hasOwn(verbs, name)) return { name, words: rest };
  const { aliases, domainIn, withoutKind } = await import("./aliases.ts");
  const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
  if (alias !== undefined) {
    const dropped = new Set(alias.drops?.map((flag) => `--${flag}`));
    const given = alias.kinds === true ? withoutKind(rest) : rest;
    return { name: alias.verb, words: [...(alias.adds ?? []), ...given.filter((word) => !dropped.has(word))] };
  }
  const domain = domainIn(rest);
  const way = (await import("./habits.ts")).wayOfVerb(name, domain);
  if (way !== undefined) {
    const path = way.includes("CONFIG") ? await (await import("./config-of.ts")).configOf(domain, env) : "";
    throw new ElsewhereError(
      name,
      "verb",
      way.replace("CONFIG", () => path),
    );
  }
  const { nearest } = await import("../nearest.ts");
  const near = nearest(name, [...Object.keys(verbs), "help", "version", ...Object.keys(aliases)]);
  throw misuse(
    `${name === "" ? '""' : name}: there is no such verb${near === undefined ? "" : `, did you mean ${near}?`}`,
    name,
    near ?? "verb",
  );
}

async function load(name: string): Promise<Verb> {
  const loader = verbs[name];
  if (loader === undefined) throw new RangeError(`${name}: not a verb`);
  return (await loader()).verb;
}

function loadAll(): Promise<readonly (readonly [string, Verb])[]> {
  return Promise.all(Object.keys(verbs).map(async (name) => [name, await load(name)] as const));
}

// Wider lines are hard to read, even on a wide terminal.
function widthOf({ stdout }: Io): number {
  return Math.min(stdout.columns ?? 100, 100);
}

async function firstSteps(io: Io): Promise<string> {
  return (await import("./help.ts")).firstSteps(widthOf(io));
}

async function helpOn(words: readonly string[], io: Io): Promise<string> {
  const help = await import("./help.ts");
  const typed = words.find((word) => !word.startsWith("-"));
  if (typed === undefined || HELP.has(typed) || VERSION.has(typed)) return help.overview(await loadAll(), widthOf(io));
  const { name } = await meant(typed, words.slice(words.indexOf(typed) + 1), io.env);
  return await help.verbHelp(name, await load(name), widthOf(io));
}

async function usageAfter(loaded: { name: string; verb: Verb } | undefined, { stderr }: Io): Promise<string> {
  const { usageLines } = await import("./help.ts");
  return `${usageLines(loaded?.verb, stderr.columns)}${loaded === undefined ? "qmpctl help lists the verbs" : `qmpctl ${loaded.name} --help says more`}\n`;
}

// Looks at the raw words, because the line may be one that can't be parsed.
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.some(
    (word, at) => /^(--json|-o=?json|--output=json)$/.test(word) || (word === "json" && /^(-o|--output)$/.test(words[at - 1] ?? "")),
  );
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return EXIT.done;
}
