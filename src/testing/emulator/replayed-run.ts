import { existsSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import process, { env, kill, pid } from "node:process";
import { splitOptions } from "../../config/options.ts";
import { eventNow } from "../protocol/event.ts";
import { majorOf } from "../protocol/greeting.ts";
import { type SchemaChoice, schemaFor } from "../protocol/recorded-schema.ts";
import { Vocabulary } from "../protocol/vocabulary.ts";
import { parsePlace } from "../server/listening.ts";
import { RecordedAgent } from "../server/recorded-agent.ts";
import { IDLE, Stage } from "../server/stage.ts";
import { timelineOf } from "../transcript/timeline.ts";
import { placeOf, readTranscript, type Transcript } from "../transcript/transcript.ts";
import { type EmulatorOptions, EmulatorRefusal, markIn } from "./emulator-options.ts";
import { takeRun, writeNote } from "./runs.ts";
import { splitWords } from "./shell-words.ts";

/** A run that has started. `ended` resolves with the status that the process has to end with. */
export interface ReplayedRun {
  readonly ended: Promise<string>;
}

/**
 * Plays one recorded run of a QEMU in this process. When it resolves, the monitors listen and the pidfile is written.
 *
 * @throws EmulatorRefusal when QEMU could not start, because that was recorded or because it can't here
 */
export async function playRun(options: EmulatorOptions, transcripts: readonly string[]): Promise<ReplayedRun> {
  const state = env["QMPCTL_REPLAY_STATE"];
  const run = state === undefined ? 1 : takeRun(state);
  const path = transcripts[run - 1];
  if (path === undefined) throw new EmulatorRefusal(`no run left: ${transcripts.length} recorded, this would be number ${run}`);
  const transcript = await readTranscript(path);
  const timeline = timelineOf(transcript);
  const notes = new Notes(state, run, transcript);
  refuseAsRecorded(transcript, notes);
  const stage = new Stage({
    timeline,
    monitors: options.monitors.map((it) => it.name),
    weather: {},
    oob: undefined,
    idle: IDLE,
    answers: {},
    vocabulary: new Vocabulary(await schemaFor(schemaSetting(), transcript.provenance), majorOf(timeline)),
    replace: [...ownMark(options, transcript), ...ownChannel(options)],
    onMismatch: (mismatch) => notes.mismatch(mismatch),
    onChange: () => notes.unplayed(stage),
    onStderr: (text) => writeSync(2, text),
  });
  const agent = new RecordedAgent(stage, { onMismatch: (mismatch) => notes.mismatch(mismatch), onChange: () => notes.unplayed(stage) });
  compareMachine(options, transcript, notes);
  let listening: Promise<void> = Promise.resolve();
  onSignals(
    () =>
      void listening.then(
        () => endBySignal(stage),
        () => undefined,
      ),
  );
  // QEMU writes it before it opens its sockets.
  if (options.pidfile !== undefined) writePidfile(options.pidfile);
  listening = listen(stage, agent, options);
  await listening.catch((error: unknown) => {
    if (options.pidfile !== undefined) rmSync(options.pidfile, { force: true });
    throw error;
  });
  if (state !== undefined) endWithOwner(state);
  notes.unplayed(stage);
  return { ended: stage.exited.then((status) => agent.close().then(() => finish(status, options, notes))) };
}

/** The schema that `fakeMachine` was given. */
function schemaSetting(): SchemaChoice {
  const told = env["QMPCTL_REPLAY_SCHEMA"];
  return told === "" ? false : told;
}

/** A machine answers with the mark on its own command line, as QEMU does, in place of the recorded one. */
function ownMark({ mark }: EmulatorOptions, { provenance }: Transcript): readonly (readonly [string, string])[] {
  const recorded = markIn(splitOptions(splitWords(provenance["command"] ?? "").slice(1)));
  return mark === undefined || recorded === undefined ? [] : [[recorded, mark]];
}

/** It names the path of its own agent's channel too: in a recording, its folder is not known. */
function ownChannel({ agent }: EmulatorOptions): readonly (readonly [string, string])[] {
  return agent === undefined ? [] : [[`unix:DIR/${basename(agent)}`, `unix:${agent}`]];
}

/** A recording that begins with stderr and a status is of a QEMU that could not start. */
function refuseAsRecorded({ entries }: Transcript, notes: Notes): void {
  const [first, second] = entries.flatMap((entry) =>
    entry.kind === "directive" ? [entry.directive] : entry.kind === "comment" ? [] : [undefined],
  );
  if (first?.name !== "stderr" || second?.name !== "exit" || !/^[1-9]/.test(second.status)) return;
  notes.ended();
  throw new EmulatorRefusal(first.text);
}

async function listen(stage: Stage, agent: RecordedAgent, options: EmulatorOptions): Promise<void> {
  if (options.agent !== undefined) await agent.listen({ kind: "unix", path: options.agent });
  for (const [index, { address, words }] of options.monitors.entries()) {
    try {
      await stage.monitors[index]?.listen(parsePlace(address));
    } catch (error) {
      const code = (error as { readonly code?: string }).code;
      // Node reports a missing folder as EACCES.
      const missing = address.startsWith("unix:") && !existsSync(dirname(address.slice(5)));
      const why = missing
        ? "No such file or directory"
        : code === "EADDRINUSE"
          ? "Address already in use"
          : code === "EACCES"
            ? "Permission denied"
            : String(error);
      throw new EmulatorRefusal(`${words}: Failed to bind socket to ${address.replace(/^unix:/, "")}: ${why}`);
    }
  }
}

/** QEMU locks its pidfile, so two machines can't have the same. */
function writePidfile(path: string): void {
  const other = Number(readIfThere(path).trim());
  if (Number.isInteger(other) && other > 1 && readIfThere(`/proc/${other}/cmdline`).split("\0").includes(path)) {
    throw new EmulatorRefusal(`cannot create PID file: Cannot lock pid file: Resource temporarily unavailable`);
  }
  try {
    writeFileSync(path, `${pid}\n`, { mode: 0o644 });
  } catch (error) {
    const why = (error as { readonly code?: string }).code === "ENOENT" ? "No such file or directory" : String(error);
    throw new EmulatorRefusal(`cannot create PID file: Could not create '${path}': ${why}`);
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A machine of another size than the recorded one can't be replayed truthfully. */
function compareMachine(options: EmulatorOptions, transcript: Transcript, notes: Notes): void {
  const command = transcript.provenance["command"];
  if (command === undefined) return;
  const recorded = splitOptions(splitWords(command).slice(1));
  const line = transcript.entries.find((it) => it.kind === "comment" && it.text.startsWith("# command: "))?.line ?? 1;
  for (const [name, value] of Object.entries(options.machine)) {
    const was = recorded.findLast((it) => `-${it.name}` === name)?.value;
    if (was === undefined || was === value) continue;
    notes.mismatch({
      message: `not as recorded (${placeOf(transcript, line)}): started with ${name} ${value}, recorded with ${name} ${was}`,
      line,
      command: "start",
    });
  }
}

/** If a test is killed, its machines end too: when the test's process has gone, or its folder has. */
function endWithOwner(state: string): void {
  const owner = env["QMPCTL_REPLAY_OWNER"];
  const look = (): void => {
    if (!existsSync(state) || (owner !== undefined && !existsSync(`/proc/${owner}`))) kill(pid, "SIGKILL");
  };
  setInterval(look, 1000).unref();
}

function onSignals(act: () => void): void {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, act);
}

/** On a signal QEMU ends itself: it sends an event first, then closes its connections. */
async function endBySignal(stage: Stage): Promise<void> {
  const rest = stage.playhead.rest();
  const told = rest.some((it) => it.kind === "event" && it.text.includes('"SHUTDOWN"'));
  if (!told) stage.broadcast(eventNow("SHUTDOWN", { guest: false, reason: "host-signal" }));
  stage.happen(rest);
  await stage.exit("0");
}

/** A crash leaves its files behind; an orderly end does not. */
function finish(status: string, options: EmulatorOptions, notes: Notes): string {
  notes.ended();
  if (/^(crashed|SIG)/.test(status)) kill(pid, "SIGKILL");
  if (options.pidfile !== undefined) rmSync(options.pidfile, { force: true });
  return status;
}

/** Notes for the test that started this process. */
class Notes {
  readonly #state: string | undefined;
  readonly #run: number;
  readonly #transcript: Transcript;

  constructor(state: string | undefined, run: number, transcript: Transcript) {
    this.#state = state;
    this.#run = run;
    this.#transcript = transcript;
    this.#write({ note: "start" });
  }

  mismatch(mismatch: { readonly message: string; readonly line: number; readonly command: string }): void {
    this.#write({ note: "mismatch", ...mismatch });
  }

  unplayed(stage: Stage): void {
    const next = stage.playhead.unplayed;
    const message =
      next === undefined ? "" : `transcript not finished (${placeOf(this.#transcript, next.line)}): ${next.command} was never asked`;
    this.#write({ note: "unplayed", message, line: next?.line ?? 0, command: next?.command ?? "" });
  }

  ended(): void {
    this.#write({ note: "end" });
  }

  #write(
    note:
      | { readonly note: "start" | "end" }
      | { readonly note: "mismatch" | "unplayed"; readonly message: string; readonly line: number; readonly command: string },
  ): void {
    if (this.#state !== undefined) writeNote(this.#state, { run: this.#run, pid, ...note });
  }
}
