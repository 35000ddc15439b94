import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import process, { env, stderr as ownStderr } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { MARK_PREFIX } from "../../config/mark.ts";
import { startRecorder } from "../record/recorder.ts";
import { Recording } from "../record/recording.ts";
import { dialPlace, parsePlace } from "../server/listening.ts";
import { type EmulatorOptions, EmulatorRefusal } from "./emulator-options.ts";
import { moveAgent, moveMonitors } from "./moved-sockets.ts";
import { takeRun, writeNote } from "./runs.ts";
import { joinWords } from "./shell-words.ts";

/** A descriptor that a QEMU in the background keeps open to its end: when it closes, QEMU has ended. */
const LIFELINE = 3;

/** A QEMU that is being recorded. The recording ends when QEMU does. */
export interface RecordedRun {
  readonly ended: Promise<Ended>;
}

/** How a QEMU ended. For one in the background this is not known, and the status is 0. */
export interface Ended {
  readonly status: number;
  readonly signal: NodeJS.Signals | null;
}

/** Replaces a machine's own mark in recordings. The fake answers with the mark of its own command line. */
const PLACEHOLDER_MARK = `${MARK_PREFIX}00000000-0000-0000-0000-000000000000`;

/**
 * Starts a real QEMU with its monitors moved to a private folder, and stands between it and its clients. Resolves when QEMU has set up its
 * machine, and the monitors that were asked for listen. If QEMU can't start, that is recorded.
 *
 * @throws EmulatorRefusal, with QEMU's own words, when QEMU can't start
 */
export async function recordRun(binary: string, args: readonly string[], options: EmulatorOptions, into: string): Promise<RecordedRun> {
  const marks = options.mark === undefined ? [] : [[options.mark, PLACEHOLDER_MARK] as const];
  const provenance = await provenanceOf(
    binary,
    args.map((word) => replaceAll(word, marks)),
  );
  const file = nextFile(into);
  const folder = mkdtempSync(join(tmpdir(), "qmp-"));
  const replace = [...marks, ...foldersIn([...args, join(folder, "x")]).map((it) => [it, "DIR/"] as const)];
  const moved = options.monitors.map((it, index) => ({ ...it, upstream: `unix:${join(folder, `${index}.sock`)}` }));
  const qemu = launch(binary, moveMonitors(args, moved), options.daemonize);
  // A signal to this process is meant for the QEMU behind its sockets. Set from the start: anyone who sees the sockets may send one at
  // once.
  if (!options.daemonize) for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => qemu.end(signal));
  const status = options.daemonize
    ? (await qemu.started).status
    : await Promise.race([
        qemu.started.then(({ status: it }) => it),
        isSetUp(
          folder,
          moved.map((it) => it.upstream),
        ),
      ]);
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    const recording = new Recording(provenance, replace, false);
    recording.stderr(lastWords(qemu.stderr(), options));
    writeFileSync(file, recording.text + `#! exit ${status}\n`);
    throw new EmulatorRefusal(qemu.stderr());
  }
  qemu.passOn();
  const monitors = [
    ...moved.map((it) => ({ name: it.name, upstream: it.upstream, listen: it.address })),
    ...moveAgent(options.agent, join(folder, "agent.sock")),
  ];
  const recorder = await startRecorder({
    monitors,
    write: file,
    provenance,
    replace,
    stderr: lastWords(qemu.stderr(), { ...options, log: undefined }),
  });
  const note = noteOf(options);
  note("start");
  const before = qemu.stderr().length;
  const ended = qemu.ended.then(async (end) => {
    const crashed = options.pidfile !== undefined && existsSync(options.pidfile);
    await recorder.finish({ status: crashed ? "crashed" : "", stderr: lastWords(qemu.stderr().slice(before), options) });
    rmSync(folder, { recursive: true, force: true });
    note("end");
    return end;
  });
  return { ended };
}

/**
 * The last lines on stderr. A QEMU in the background with a log writes them there once it has forked. Folders and the suffix of QEMU's name
 * belong to this host, and are left out.
 */
function lastWords(stderr: string, { daemonize, log }: EmulatorOptions): string {
  const logged = daemonize && log !== undefined && existsSync(log) ? readFileSync(log, "utf8") : "";
  return `${stderr}${logged}`
    .replaceAll(/^(?:\S*\/)?(qemu-system-\w+)\S*: /gm, "$1: ")
    .replaceAll(/from pid \d+ \(\S*\//g, "from pid 1 (DIR/");
}

/** Writes notes of this run for the test that has it started, with QEMU's own process id. */
function noteOf(options: EmulatorOptions): (note: "start" | "end") => void {
  const state = env["QMPCTL_REPLAY_STATE"];
  if (state === undefined || options.pidfile === undefined) return () => {};
  const [run, qemu] = [takeRun(state), Number(readFileSync(options.pidfile, "utf8"))];
  return (note) => writeNote(state, { run, pid: qemu, note });
}

/**
 * The transcript to write: the named file, or the next number in the named folder. The file is created at once, so that two runs can't take
 * the same number.
 */
function nextFile(into: string): string {
  if (into.endsWith(".qmp")) return into;
  mkdirSync(into, { recursive: true });
  for (let run = 1; ; run += 1) {
    const file = join(into, `${run}.qmp`);
    if (existsSync(file)) continue;
    writeFileSync(file, "", { flag: "wx" });
    return file;
  }
}

async function provenanceOf(binary: string, args: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await promisify(execFile)(binary, ["--version"]);
  const command = joinWords([
    basename(binary).replace(/^(qemu-system-\w+)-.*$/, "$1"),
    ...args.map((word) => word.replace(/(^|[=:,])(?:\/[\w.+@-]+)*\//g, "$1DIR/")),
  ]);
  return {
    qemu: /version (.*)/.exec(stdout)?.[1] ?? "unknown",
    arch: /qemu-system-(\w+)/.exec(basename(binary))?.[1] ?? "unknown",
    command,
    recorded: `${new Date().toISOString().slice(0, 10)} by a client's own run, through qmpctl's recording emulator`,
  };
}

/** The folders of all absolute paths on a command line, longest first. They belong to this host, and are replaced. */
function foldersIn(args: readonly string[]): readonly string[] {
  const paths = args.flatMap((word) => word.split(/[,=]|(?<=^\w+):/)).filter((it) => isAbsolute(it));
  return [...new Set(paths.map((it) => `${dirname(it)}/`))].filter((it) => it !== "//").sort((a, b) => b.length - a.length);
}

function replaceAll(text: string, replace: readonly (readonly [string, string])[]): string {
  return replace.reduce((so_far, [from, to]) => so_far.replaceAll(from, to), text);
}

function launch(binary: string, args: readonly string[], daemonize: boolean) {
  const child = spawn(binary, args, { stdio: ["ignore", daemonize ? "ignore" : "inherit", "pipe", "pipe"] });
  let stderr = "";
  let running = false;
  child.stderr?.on("data", (bytes) => {
    stderr += String(bytes);
    if (running) ownStderr.write(bytes);
  });
  const started = new Promise<Ended>((resolve, reject) => {
    // Not at its exit, because its last output may still be on its way.
    child.once(daemonize ? "exit" : "close", (code, signal) => resolve({ status: code ?? 1, signal }));
    child.once("error", reject);
  });
  const lifeline = child.stdio[LIFELINE] as NodeJS.ReadableStream;
  lifeline.resume();
  // What it writes while it starts is part of the error if it fails.
  const passOn = (): void => {
    running = true;
    ownStderr.write(stderr);
  };
  return {
    started,
    passOn,
    end: (signal: NodeJS.Signals) => void child.kill(signal),
    stderr: () => stderr,
    ended: daemonize ? once(lifeline, "end").then((): Ended => ({ status: 0, signal: null })) : started,
  };
}

/**
 * Resolves with 0 when the machine is set up. A QEMU in the foreground does not report that: its sockets appear before, and its first
 * answer comes after.
 */
async function isSetUp(folder: string, upstreams: readonly string[]): Promise<number> {
  const there = (): boolean => upstreams.every((it) => existsSync(it.replace("unix:", "")));
  const watcher = watch(folder);
  while (!there()) await once(watcher, "change");
  watcher.close();
  const [first] = upstreams;
  // A socket appears a moment before it accepts connections.
  while (first !== undefined && !(await answers(first))) await wait(10);
  return 0;
}

/** Whether QEMU has answered; false if the connection ended before. */
async function answers(upstream: string): Promise<boolean> {
  const socket = dialPlace(parsePlace(upstream))
    .on("error", () => {})
    .setEncoding("utf8");
  socket.write('{"execute":"qmp_capabilities"}\n');
  let heard = "";
  socket
    .on("data", (text) => {
      heard += String(text);
      if (heard.includes('"return"')) socket.destroy();
    })
    .on("end", () => socket.destroy());
  await new Promise((resolve) => void socket.once("close", resolve));
  return heard.includes('"return"');
}
