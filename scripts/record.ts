#!/usr/bin/env -S npx tsx
/**
 * Records what real QEMUs say to qmpctl in every scenario of scripts/scenarios, to fixtures/qmp/VERSION_ARCH/SCENARIO/.
 * A scenario is recorded only if it succeeds on real QEMU. The tests then expect the same of its replay.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import process, { argv, exit, stderr, stdout } from "node:process";
import { parseArgs, promisify } from "node:util";
import { recordingMachine, type StandIn } from "../src/testing/index.ts";
import { testbedFolder } from "./lab/machine.ts";
import { openRealStage } from "./scenarios/real.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { scenarios } from "./scenarios/table.ts";

const HELP = `usage: npm run record -- [options] [SCENARIO...]

Records scenarios (default: all) from real QEMU with the testbed's Linux guest, to fixtures/qmp/VERSION_ARCH/SCENARIO/.

  --qemu PATH    a QEMU to record from; may be repeated
                 (default: qemu-system-x86_64, and the testbed's of Debian trixie)
  --into DIR     the folder to write to (default: fixtures/qmp of the project)
  --list         list the scenarios, and record nothing
  --help

Needs what \`npm run testbed\` makes, and the built program: \`npm run build\`.
Exit code: 0 all recorded, 1 a scenario failed (its old recording is kept), 2 usage.
`;

/** The machine that is being recorded. It runs in the background and would outlive us. */
let underway: StandIn | undefined;

/** Under software emulation, QEMU may die some time after the unplug of a vCPU. Such a run proves nothing and is repeated. */
const ATTEMPTS = 3;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv.slice(2),
    allowPositionals: true,
    options: {
      qemu: { type: "string", multiple: true },
      into: { type: "string" },
      list: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const unknown = positionals.filter((name) => scenarios[name] === undefined);
  if (values.help === true) stdout.write(HELP);
  else if (values.list === true) for (const [name, { tells }] of Object.entries(scenarios)) stdout.write(`${name}: ${tells}\n`);
  else if (unknown.length > 0) throw new TypeError(`no such scenario: ${unknown.join(", ")}; --list shows them all`);
  else {
    const binaries = values.qemu ?? ["qemu-system-x86_64", join(testbedFolder(), "qemu", "bin", "qemu-system-x86_64-trixie")];
    const names = positionals.length > 0 ? positionals : Object.keys(scenarios);
    const root = values.into ?? new URL("../fixtures/qmp", import.meta.url).pathname;
    let failed = 0;
    for (const binary of binaries) failed += await recordAll(binary.includes("/") ? resolve(binary) : binary, names, root);
    return failed === 0 ? 0 : 1;
  }
  return 0;
}

/** Resolves with how many scenarios could not be recorded. */
async function recordAll(binary: string, names: readonly string[], root: string): Promise<number> {
  const version = await versionOf(binary);
  const arch = /qemu-system-([a-z0-9_]+)/.exec(basename(binary))?.[1] ?? "unknown";
  let failed = 0;
  for (const name of names) {
    const scenario = scenarios[name];
    if (scenario === undefined) continue;
    const start = performance.now();
    const why = await recordOne(name, scenario, { binary, version, into: join(root, `${version}_${arch}`, name) });
    stdout.write(`${version} ${name}: ${why ?? `recorded in ${((performance.now() - start) / 1000).toFixed(1)} s`}\n`);
    if (why !== undefined) failed += 1;
  }
  return failed;
}

interface Job {
  readonly binary: string;
  readonly version: string;
  readonly into: string;
}

/** Records into a hidden folder, which replaces the old one on success. Otherwise resolves with the reason. */
async function recordOne(name: string, scenario: Scenario, job: Job): Promise<string | undefined> {
  const fresh = join(dirname(job.into), `.${name}`);
  let why: unknown;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    await rm(fresh, { recursive: true, force: true });
    try {
      await play(scenario, { ...job, into: fresh });
      await tidy(fresh, name);
      await rm(job.into, { recursive: true, force: true });
      await rename(fresh, job.into);
      return undefined;
    } catch (error) {
      why = error;
      stderr.write(`${job.version} ${name}, attempt ${attempt}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  await rm(fresh, { recursive: true, force: true });
  return `not recorded: ${why instanceof Error ? why.message.split("\n")[0] : String(why)}`;
}

async function play(scenario: Scenario, { binary, version, into }: Job): Promise<void> {
  await using machine = await recordingMachine({ emulator: binary, into });
  underway = machine;
  await using stage = await openRealStage(scenario.setting ?? {}, machine, Number.parseInt(version, 10));
  await scenario.play(stage);
}

/** Adds what recorded it, and makes sure that it has no names of this host. */
async function tidy(folder: string, name: string): Promise<void> {
  for (const file of await readdir(folder)) {
    const path = join(folder, file);
    const text = (await readFile(path, "utf8")).replace(/^(# recorded: \S+) .*$/m, `$1 by scripts/record.ts, scenario ${name}`);
    // A short host name may be a word of QEMU too, such as `vm`.
    const host = hostname().length > 3 ? hostname().replaceAll(".", "\\.") : "^$";
    const found = new RegExp(`/(tmp|home|root|work|var|run|usr)/\\S*|(?<![\\w-])${host}(?![\\w-])`).exec(text);
    if (found !== null)
      throw new Error(
        `${file} has a name of this host: ${found[0]}, in ${JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 60))}`,
      );
    await writeFile(path, text);
  }
}

async function versionOf(binary: string): Promise<string> {
  const { stdout: text } = await promisify(execFile)(binary, ["--version"]);
  const version = /version (\d+\.\d+\.\d+)/.exec(text)?.[1];
  if (version === undefined) throw new Error(`${binary}: its --version names none: ${text}`);
  return version;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => void Promise.resolve(underway?.close()).finally(() => exit(130)));
try {
  exit(await main());
} catch (error) {
  stderr.write(`record: ${error instanceof Error ? error.message : String(error)}\n`);
  exit(error instanceof TypeError ? 2 : 1);
}
