#!/usr/bin/env -S npx tsx
/**
 * Shows in the terminal what qmpctl is for: the effect of a change now and after a restart, and what happens if one half fails.
 * The commands are run as they are shown. QEMU is a recorded one, or with --qemu a real one with a Linux guest.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv, env, exit, stderr, stdout } from "node:process";
import { parseArgs, promisify } from "node:util";
import { fakeMachine } from "../src/testing/index.ts";
import { Page } from "./demo/page.ts";
import { killDaemon } from "./lab/machine.ts";
import { openRealStage } from "./scenarios/real.ts";
import { listRecordings, RECORDINGS } from "./scenarios/replay.ts";
import { openStage, type Stage } from "./scenarios/stage.ts";
import { oneHalfFails, threeCases } from "./scenarios/stories.ts";
import { type Story, tell } from "./scenarios/story.ts";

const HELP = `usage: npm run demo -- [options]

Shows the effect of a change now and after a restart, and what happens if one half fails. Takes some seconds and needs no QEMU.

  --recorded QEMU   the recording in fixtures/qmp to use (default: 10.0.13_x86_64)
  --qemu            use the installed QEMU with the testbed's Linux guest instead
  --emulator PATH   use this QEMU with that guest
  --help

Exit code: 0 everything as told, 1 something was different, 2 usage, 130 interrupted.
`;

/** The stories in order, and the folder that each is recorded in. */
function storiesFor(major: number): readonly (readonly [string, Story])[] {
  return [
    ["three-cases", threeCases(major)],
    ["one-half-fails", oneHalfFails],
  ];
}

type Stages = (name: string, story: Story) => Promise<Stage & AsyncDisposable>;

async function main(signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: {
      recorded: { type: "string", default: "10.0.13_x86_64" },
      qemu: { type: "boolean" },
      emulator: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    stdout.write(HELP);
    return 0;
  }
  const emulator = values.emulator ?? (values.qemu === true ? "qemu-system-x86_64" : undefined);
  const version = emulator === undefined ? values.recorded : await versionOf(emulator);
  const stages = emulator === undefined ? recorded(version) : real(emulator, version);
  const page = new Page(stdout, env);
  page.heading("qmpctl: a change now, at the next start, or both");
  page.say(
    emulator === undefined
      ? `QEMU ${version.replace("_", ", ")}, recorded: real conversations, replayed on a real socket.`
      : `QEMU ${version} with a Linux guest; \`✓\` means that the guest agrees.`,
  );
  // A recording always went well, even if that QEMU fails at other times.
  return tellAll(page, storiesFor(emulator === undefined ? 10 : Number.parseInt(version, 10)), stages, signal);
}

async function tellAll(page: Page, stories: ReturnType<typeof storiesFor>, stages: Stages, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  try {
    for (const [name, story] of stories) {
      await using stage = await stages(name, story);
      await tell(story, stage, page, signal);
    }
  } catch (error) {
    if (signal.aborted) page.say("", "Interrupted. Everything that was started has been ended.");
    if (signal.aborted) return 130;
    page.wrong(error instanceof Error ? error.message : String(error));
    return 1;
  }
  page.say(
    "",
    "               now    after a restart",
    "  A  dynamic   yes    no",
    "  B  static    no     yes",
    "  C  both      yes    yes",
    "     both, and the live half fails: no change, now or later",
  );
  page.say("", `Everything is as told: ${page.commands} commands in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  return 0;
}

/** Each story on its recording. Disposal ends what still runs, and throws if the product sent something else than then. */
function recorded(qemu: string): Stages {
  const known = new Set(listRecordings().map((it) => it.qemu));
  if (!known.has(qemu)) throw new TypeError(`--recorded ${qemu}: there is no such recording, only ${[...known].join(", ")}`);
  return async (name, { setting }) => {
    const machine = await fakeMachine({ runs: join(RECORDINGS, qemu, name) });
    const stage = await openStage(setting, { machine, major: Number.parseInt(qemu, 10) });
    return { ...stage, [Symbol.asyncDispose]: () => machine.close() };
  };
}

function real(emulator: string, version: string): Stages {
  return async (_name, { setting }) => {
    const folder = await mkdtemp(join(tmpdir(), "qmp-"));
    const machine = {
      emulator,
      folder,
      env: {
        QMPCTL_CONFIG_DIR: join(folder, "config"),
        QMPCTL_RUNTIME_DIR: join(folder, "run"),
        QMPCTL_STATE_DIR: join(folder, "machines"),
      },
    };
    const tidy = async (): Promise<void> => {
      await killDaemon(join(machine.env.QMPCTL_RUNTIME_DIR, setting.name ?? "web1", "pid"));
      await rm(folder, { recursive: true, force: true });
    };
    await mkdir(machine.env.QMPCTL_CONFIG_DIR, { mode: 0o700 });
    const stage = await openRealStage(setting, machine, Number.parseInt(version, 10)).catch(async (error: unknown) => {
      await tidy();
      throw error;
    });
    const dispose = async (): Promise<void> => {
      await stage[Symbol.asyncDispose]();
      await tidy();
    };
    return { ...stage, [Symbol.asyncDispose]: dispose };
  };
}

async function versionOf(emulator: string): Promise<string> {
  try {
    const { stdout: text } = await promisify(execFile)(emulator, ["--version"]);
    return /version (\S+)/.exec(text)?.[1] ?? "of an unknown version";
  } catch (cause) {
    throw new Error(`${emulator} can't be run; \`npm run testbed -- --install\` installs QEMU and makes the guest`, { cause });
  }
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
try {
  exit(await main(interrupted.signal));
} catch (error) {
  stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  exit(error instanceof TypeError ? 2 : 1);
}
