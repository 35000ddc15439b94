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

/** An emulator to name in a launch config, with private folders for the configs and sockets of one test. */
export interface StandIn extends AsyncDisposable {
  /** The path of an executable that takes QEMU's command line. It needs no environment. */
  readonly emulator: string;
  /** A private temporary folder. Its path is short enough for sockets. */
  readonly folder: string;
  /** QMPCTL_CONFIG_DIR, QMPCTL_RUNTIME_DIR and QMPCTL_STATE_DIR, all inside `folder`. */
  readonly env: Readonly<Record<"QMPCTL_CONFIG_DIR" | "QMPCTL_RUNTIME_DIR" | "QMPCTL_STATE_DIR", string>>;
  /**
   * Checks that everything was as recorded so far.
   *
   * @throws MismatchError when a run did not follow its recording; with `finished`, also when one was not played to its end
   */
  verify(options?: { readonly finished?: boolean | undefined }): Promise<void>;
  /**
   * Ends machines that still run, and removes the folder. May be called any number of times.
   *
   * @throws as `verify()`, for what was not reported before
   */
  close(): Promise<void>;
}

/**
 * An emulator that replays one run for each start, so that start, restart and shutdown run completely without QEMU. `runs` are transcripts
 * in order, or a folder of them (`1.qmp`, `2.qmp`, …); one more start fails. `schema`: as for `startReplay`, a release or a file.
 *
 * @throws TranscriptError when a transcript is damaged; HostError when the package is not built
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
 * An emulator that starts the real one (`emulator`: a path, or a name in PATH) and records each run. `into` is a folder for `1.qmp`,
 * `2.qmp`, …, or one file. `close()` resolves when everything is written.
 *
 * @throws HostError when the package is not built
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

/**
 * The path of a program, looked up now. Later the stand-in, which has the same name, may be first in PATH, and would start itself for ever.
 */
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
  // The link's name says what it stands for: QEMU's process is recognised by its name.
  const named = join(folder, `qemu-${program}.js`);
  await symlink(script, named);
  await writeFile(emulator, launcher(variables, joinWords([execPath, named])));
  await chmod(emulator, 0o755);
  return folder;
}

/**
 * The script that a launch config names. For `-daemonize` it runs the program in the background, in a session of its own, and waits until
 * the program answers on descriptor 3 (see daemon.ts). Node can't fork, and starting it twice would take twice as long. As with QEMU,
 * stderr is kept if there is a log (`-D`).
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

/** The built program: beside this file, beside the bundle that this is part of, or, if this runs from source, in dist/. */
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
    // Also if it has noted its end: the process may not have ended yet.
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

  /** A recorder writes its transcript and its note after QEMU has ended. */
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
 * Ends a machine of ours, and waits for the end. If it was still there when the next test starts a machine with the same words, it would be
 * taken for that one. Another process that has got the same id since is left alone.
 */
async function end(machine: number, folder: string): Promise<void> {
  const found = await identify(machine);
  const words = await readFile(`/proc/${machine}/cmdline`, "utf8").catch(() => "");
  if (found === undefined || !words.includes(folder)) return;
  await sendSignal(found, "SIGKILL");
  await waitForEnd(found, { timeout: END });
}

/** How long the system may take to end a killed process, in milliseconds. */
const END = 5000;
