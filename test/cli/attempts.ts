import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/cli/command.ts";
import { openFacade } from "../../src/cli/open.ts";
import { configText } from "../config/fixtures.ts";
import { ALONE } from "./alone.ts";
import { start } from "./program.ts";
import { ioOf } from "./scene.ts";

/** One wrong use of the program. */
export interface Attempt {
  readonly what: string;
  readonly argv: readonly string[];
  /** What its one line has to say: the value, and what would be right. */
  readonly says: readonly (string | RegExp)[];
  /** Makes the folder what it has to be; `web1` is defined in it. */
  readonly prepare?: (shop: Shop) => unknown;
}

/** Folders of one attempt. */
export interface Shop {
  readonly folder: string;
  readonly config: string;
  readonly runtime: string;
  readonly state: string;
  /** The config of `web1`. */
  readonly path: string;
}

/** The environment that has the program use the folders of a shop. */
export function envOf({
  config,
  runtime,
  state,
}: Pick<Shop, "config" | "runtime" | "state">): Readonly<Record<"QMPCTL_CONFIG_DIR" | "QMPCTL_RUNTIME_DIR" | "QMPCTL_STATE_DIR", string>> {
  return { QMPCTL_CONFIG_DIR: config, QMPCTL_RUNTIME_DIR: runtime, QMPCTL_STATE_DIR: state };
}

/** KiB. A Node that is given nothing to do takes a quarter of this; a file of 100 MB, read whole, takes more. */
const MOST_MEMORY = 192 * 1024;
/** Microseconds of processor time: a busy machine has no part in it. */
const MOST_TIME = 3_000_000;
/** What hangs is ended, and told. */
const PATIENCE = 20_000;

/** A program of its own for every attempt takes a minute in all: without this only each sixteenth gets one, the others run in here. */
const THOROUGH = process.env["QMPCTL_THOROUGH"] === "1";

/** Tries all of them, two at a time, and gives everything that is not as it should be: nothing, when all is well. */
export async function faultsOf(attempts: readonly Attempt[]): Promise<readonly string[]> {
  const left = attempts.map((attempt, position) => ({ attempt, run: THOROUGH || position % 16 === 0 ? measured : inHere }));
  const faults: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { attempt, run } = next;
      faults.push(...(await tried(attempt, run)).map((fault) => `${attempt.what}: ${fault}`));
    }
  };
  await Promise.all([work(), work()]);
  return faults;
}

async function tried({ argv, says, prepare }: Attempt, run: typeof measured): Promise<readonly string[]> {
  await using shop = await openShop();
  await prepare?.(shop);
  const before = await pictureOf(shop.folder);
  const { code, stdout, stderr, cost } = await run(
    argv.map((word) => word.replaceAll("$SHOP", shop.folder)),
    shop,
  );
  const after = await pictureOf(shop.folder);
  const [line = "", ...rest] = stderr.trimEnd().split("\n");
  return [
    ...(code === 2 || code === 3 ? [] : [`ended with ${code}`]),
    ...(stdout === "" ? [] : [`said on stdout ${JSON.stringify(stdout)}`]),
    ...(/^qmpctl: [^\x00-\x1f\x7f-\x9f]{1,5000}$/.test(line) ? [] : [`no clear line: ${JSON.stringify(line.slice(0, 400))}`]),
    ...rest
      .filter((each) => !/^(usage:| {3}or:|qmpctl [a-z]+ --help says more| {2}(static|dynamic): | {4}instead: )/.test(each))
      .map((each) => `a second line: ${JSON.stringify(each)}`),
    ...says
      .filter((each) => (typeof each === "string" ? !stderr.includes(each) : !each.test(stderr)))
      .map((each) => `does not say ${String(each)}: ${line}`),
    ...(before === after ? [] : [`touched something:\n${before}\nis now\n${after}`]),
    ...(cost.memory > 0 && cost.memory <= MOST_MEMORY ? [] : [`took ${cost.memory} KiB`]),
    ...(cost.time <= MOST_TIME ? [] : [`took ${cost.time} microseconds`]),
  ];
}

/** A folder with a config, a run-time and a state folder that nobody has used yet. */
export async function openShop(): Promise<Shop & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const [config, runtime, state] = [join(folder, "etc"), join(folder, "run"), join(folder, "state")];
  for (const each of [config, runtime, state]) await mkdir(each, { mode: 0o700 });
  const path = join(config, "web1.json");
  await writeFile(path, configText(), { mode: 0o600 });
  return {
    folder,
    config,
    runtime,
    state,
    path,
    async [Symbol.asyncDispose]() {
      await chmod(config, 0o700).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the program says at its end of itself: the most memory (KiB) and the time (microseconds) that it took. */
const TELL = `process.once("exit", () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  require("node:fs").writeFileSync(process.env.TOLD, JSON.stringify({ memory: maxRSS, time: userCPUTime + systemCPUTime })); });`;

/** How a run ended, what it said, and what it cost. */
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly cost: { readonly memory: number; readonly time: number };
}

/** The command line in this process: what it costs is not told. */
async function inHere(argv: readonly string[], shop: Shop): Promise<Ended> {
  const io = ioOf({ env: { ...process.env, ...envOf(shop) } });
  const code = await run(argv, { io, facade: openFacade(io.env), ...ALONE, version: () => Promise.resolve("0") });
  return { code, stdout: io.stdout.text, stderr: io.stderr.text, cost: { memory: 1, time: 0 } };
}

async function measured(argv: readonly string[], shop: Shop): Promise<Ended> {
  const told = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const [tell, cost] = [join(told, "tell.cjs"), join(told, "cost")];
  await writeFile(tell, TELL);
  const running = start(argv, { ...envOf(shop), NODE_OPTIONS: `--require ${tell}`, TOLD: cost });
  const patience = setTimeout(() => running.child.kill("SIGKILL"), PATIENCE);
  try {
    const ended = await running.ended;
    const text = await readFile(cost, "utf8").catch(() => '{"memory":0,"time":0}');
    return {
      ...ended,
      stderr: ended.signal === null ? ended.stderr : `it hung: ${ended.stderr}`,
      cost: JSON.parse(text) as { memory: number; time: number },
    };
  } finally {
    clearTimeout(patience);
    await rm(told, { recursive: true });
  }
}

/** Everything that is in a folder: kind, mode, owner, size, and what is in files. */
async function pictureOf(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const lines = names.map(async (name) => {
    const path = join(folder, name);
    const found = await lstat(path);
    const inside = found.isSymbolicLink()
      ? await readlink(path)
      : found.isFile() && found.size < 4_000_000
        ? createHash("sha256")
            .update(await readFile(path).catch(() => "not to be read"))
            .digest("hex")
        : "";
    return `${name} ${found.mode.toString(8)} ${found.uid} ${found.isDirectory() ? "" : found.size} ${inside}`;
  });
  return (await Promise.all(lines)).join("\n");
}
