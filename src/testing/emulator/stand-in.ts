/// <reference lib="esnext.disposable" preserve="true" />
import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { env, execPath, pid } from "node:process";
import { fileURLToPath } from "node:url";
import { HostError } from "../../errors.ts";
import { identify, sendSignal, waitForEnd } from "../../host/signal.ts";
import { MismatchError } from "../protocol/mismatch.ts";
import { isRelease, schemaFor } from "../protocol/recorded-schema.ts";
import { readTranscript } from "../transcript/transcript.ts";
import { DAEMON, READY } from "./daemon.ts";
import { listRuns, type Note, readNotes } from "./runs.ts";
import { joinWords } from "./shell-words.ts";

/** An emulator to name in a launch config, and private folders for the configs and sockets of one test. */
export interface StandIn extends AsyncDisposable {
  /** Path of an executable that takes QEMU's command line. All it needs is inside: no environment has to be set for it. */
  readonly emulator: string;
  /** A private temporary folder; its path is short enough for sockets. */
  readonly folder: string;
  /** QMPCTL_CONFIG_DIR, QMPCTL_RUNTIME_DIR and QMPCTL_STATE_DIR, all inside `folder`. */
  readonly env: Readonly<Record<"QMPCTL_CONFIG_DIR" | "QMPCTL_RUNTIME_DIR" | "QMPCTL_STATE_DIR", string>>;
  /** Rejects with MismatchError if any life left its recording; with `finished`, also if one was not played to its end. */
  verify(options?: { readonly finished?: boolean | undefined }): Promise<void>;
  /** Ends machines that still run, removes the folder, then rejects as `verify()`, unless that has been told already. Idempotent. */
  close(): Promise<void>;
}

/**
 * An emulator that replays one life a start, so that start, restart and shutdown run whole without QEMU. `runs` are transcripts in order,
 * or
 * a folder of them (`1.qmp`, `2.qmp`, …); one start more fails. `schema`: as for `startReplay`, by its release or file. Throws
 * TranscriptError for a damaged one, HostError where the package is not built.
 */
export async function fakeMachine(options: {
  readonly runs: string | readonly string[];
  readonly schema?: string | false | undefined;
}): Promise<StandIn> {
  const named = typeof options.runs === "string" ? [options.runs] : options.runs;
  const runs = listRuns(named.map((it) => resolve(it)).join(":"));
  const transcripts = await Promise.all(runs.map(readTranscript));
  await schemaFor(options.schema, {});
  const schema =
    options.schema === undefined
      ? {}
      : { QMPCTL_REPLAY_SCHEMA: options.schema === false ? "" : isRelease(options.schema) ? options.schema : resolve(options.schema) };
  const settings = (state: string) => ({
    QMPCTL_REPLAY: runs.join(":"),
    QMPCTL_REPLAY_STATE: state,
    QMPCTL_REPLAY_OWNER: String(pid),
    ...schema,
  });
  return new FakeEmulator(await prepare("fake-emulator", settings), transcripts.length);
}

/**
 * An emulator that starts the real one (`emulator`: a path, or a name on PATH) and records each life to `into`: a folder, where they become
 * `1.qmp`, `2.qmp`, …, or one file. `close()` returns when all is written.
 */
export async function recordingMachine(options: { readonly emulator: string; readonly into: string }): Promise<StandIn> {
  const emulator = onPath(options.emulator);
  const settings = (state: string) => ({
    QMPCTL_RECORD_EMULATOR: emulator,
    QMPCTL_RECORD: resolve(options.into),
    QMPCTL_REPLAY_STATE: state,
  });
  return new FakeEmulator(await prepare("recording-emulator", settings), undefined);
}

/** Where a program is, found now: later the PATH may lead to the stand-in, which has its name, and would start itself for ever. */
function onPath(program: string): string {
  if (program.includes("/")) return resolve(program);
  return (
    (env["PATH"] ?? "")
      .split(":")
      .map((folder) => resolve(folder, program))
      .find((path) => existsSync(path)) ?? program
  );
}

async function prepare(program: string, settings: (state: string) => Readonly<Record<string, string>>): Promise<string> {
  const script = built(program);
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  await Promise.all(["config", "run", "state"].map((it) => mkdir(join(folder, it), { mode: 0o700 })));
  const variables = Object.entries(settings(join(folder, "state"))).map(([key, value]) => `${key}=${joinWords([value])}`);
  const emulator = join(folder, "qemu-system-x86_64");
  // By a name that says what it stands for: that is how QEMU's process is known among others.
  const named = join(folder, `qemu-${program}.js`);
  await symlink(script, named);
  await writeFile(emulator, launcher(variables, joinWords([execPath, named])));
  await chmod(emulator, 0o755);
  return folder;
}

/**
 * The script that a launch config names. For `-daemonize` it runs the program in the background, in a session of its own, and waits until
 * that one
 * says on descriptor 3 how it went, see daemon.ts: Node can't fork, and to start it twice takes twice as long. QEMU keeps its stderr when
 * it has a log (`-D`).
 */
function launcher(variables: readonly string[], program: string): string {
  return `#!/bin/sh
export ${variables.join(" ")}
daemon=
exec 4>/dev/null
for word do case $word in
-daemonize | --daemonize) daemon=yes ;;
-D | --D) exec 4>&2 ;;
esac done
[ "$daemon" ] || exec ${program} "$@"
export ${DAEMON}=yes
answer=$(setsid ${program} "$@" 3>&1 </dev/null >/dev/null 2>&4 4>&- &)
[ "$answer" = ${READY} ] && exit
[ -z "$answer" ] || printf '%s\\n' "$answer" >&2
exit 1
`;
}

/** The program beside this file, or beside where this was bundled from, or, when this runs from its source, what was built from it. */
function built(program: string): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const found = [here, join(here, "..", "testing", "emulator"), join(here, "../../../dist/testing/emulator")]
    .map((it) => join(it, `${program}.js`))
    .find(existsSync);
  if (found === undefined) throw new HostError(`${program}.js: not built yet, run \`npm run build\``);
  return found;
}

class FakeEmulator implements StandIn {
  readonly folder: string;
  readonly #runs: number | undefined;
  #told = 0;

  /** `runs`: how many there are to play; undefined for a recording. */
  constructor(folder: string, runs: number | undefined) {
    this.folder = folder;
    this.#runs = runs;
  }

  get emulator(): string {
    return join(this.folder, "qemu-system-x86_64");
  }

  get env(): StandIn["env"] {
    return {
      QMPCTL_CONFIG_DIR: join(this.folder, "config"),
      QMPCTL_RUNTIME_DIR: join(this.folder, "run"),
      QMPCTL_STATE_DIR: join(this.folder, "machines"),
    };
  }

  async verify(options: { readonly finished?: boolean | undefined } = {}): Promise<void> {
    this.#check(this.#notes(), options.finished === true);
  }

  async close(): Promise<void> {
    if (!existsSync(this.folder)) return;
    // Also one that has noted its end: it may not be gone yet.
    for (const { note, pid: machine } of this.#notes()) if (note === "start") await end(machine, this.folder);
    if (this.#runs === undefined) await this.#untilWritten();
    const notes = this.#notes();
    await rm(this.folder, { recursive: true, force: true });
    this.#check(notes, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #notes(): readonly Note[] {
    return readNotes(join(this.folder, "state"));
  }

  #check(notes: readonly Note[], finished: boolean): void {
    const mismatches = notes.filter((it) => it.note === "mismatch");
    const found = [...mismatches.slice(this.#told), ...(finished ? this.#unplayed(notes) : [])];
    this.#told = mismatches.length;
    if (found.length > 0) throw new MismatchError(found.map(({ message, line, command }) => ({ message, line, command })));
  }

  #unplayed(notes: readonly Note[]): readonly { readonly message: string; readonly line: number; readonly command: string }[] {
    return Array.from({ length: this.#runs ?? 0 }, (_, index) => index + 1).flatMap((run) => {
      const own = notes.filter((it) => it.run === run);
      if (own.length === 0) return [{ message: `run ${run} was never started`, line: 0, command: "start" }];
      const last = own.findLast((it) => it.note === "unplayed");
      return last !== undefined && last.message !== "" ? [last] : [];
    });
  }

  /** A recorder writes its transcript when QEMU has ended, and notes it. */
  async #untilWritten(): Promise<void> {
    const watcher = watch(join(this.folder, "state"));
    while (running(this.#notes()).length > 0) await once(watcher, "change");
    watcher.close();
  }
}

function running(notes: readonly Note[]): readonly Note[] {
  return notes.filter((note) => note.note === "start" && !notes.some((it) => it.note === "end" && it.run === note.run));
}

/**
 * Ends a machine of ours, and waits until it is gone: one that is still there when the next test starts a machine of the same words is
 * taken for that one.
 * A process that has got its id since is let be.
 */
async function end(machine: number, folder: string): Promise<void> {
  const found = await identify(machine);
  const words = await readFile(`/proc/${machine}/cmdline`, "utf8").catch(() => "");
  if (found === undefined || !words.includes(folder)) return;
  await sendSignal(found, "SIGKILL");
  await waitForEnd(found, { timeout: END });
}

/** How long the system may take to end a process that was killed, in milliseconds. */
const END = 5000;
