import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import process, { env, stderr as ownStderr } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { MARK_PREFIX } from "../../config/mark.ts";
import { splitOptions } from "../../config/options.ts";
import { startRecorder } from "../record/recorder.ts";
import { Recording } from "../record/recording.ts";
import { dialPlace, parsePlace } from "../server/listening.ts";
import { type EmulatorOptions, EmulatorRefusal } from "./emulator-options.ts";
import { takeRun, writeNote } from "./runs.ts";
import { joinWords } from "./shell-words.ts";

/** Descriptor that a QEMU in the background keeps to its end: when it closes, QEMU is gone. */
const LIFELINE = 3;

/** A QEMU under record: its end is the end of the recording. */
export interface RecordedRun {
  readonly ended: Promise<Ended>;
}

/** How a QEMU ended. Of one in the background nobody is told: 0 then. */
export interface Ended {
  readonly status: number;
  readonly signal: NodeJS.Signals | null;
}

/** Stands in recordings for a machine's mark, which is of that one only: the fake answers with its own. */
const NOBODYS_MARK = `${MARK_PREFIX}00000000-0000-0000-0000-000000000000`;

/**
 * Starts a real QEMU with its monitors moved to a private folder, and stands between. Resolves when QEMU has set up and the monitors asked
 * for
 * listen. Where QEMU can't start, that is recorded, and its own words are thrown as an EmulatorRefusal.
 */
export async function recordRun(binary: string, args: readonly string[], options: EmulatorOptions, into: string): Promise<RecordedRun> {
  const marks = options.mark === undefined ? [] : [[options.mark, NOBODYS_MARK] as const];
  const provenance = await provenanceOf(
    binary,
    args.map((word) => replaceAll(word, marks)),
  );
  const file = nextFile(into);
  const folder = mkdtempSync(join(tmpdir(), "qmp-"));
  const replace = [...marks, ...foldersIn([...args, join(folder, "x")]).map((it) => [it, "DIR/"] as const)];
  const moved = options.monitors.map((it, index) => ({ ...it, upstream: `unix:${join(folder, `${index}.sock`)}` }));
  const qemu = launch(binary, moveMonitors(args, moved), options.daemonize);
  // Who finds us by the sockets means the QEMU behind them. From the start on: whoever sees the sockets may send one at once.
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
  const monitors = moved.map((it) => ({ name: it.name, upstream: it.upstream, listen: it.address }));
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
 * A QEMU in the background with a log has its stderr there from the fork on. Folders are this machine's, and so is the suffix of its name.
 */
function lastWords(stderr: string, { daemonize, log }: EmulatorOptions): string {
  const logged = daemonize && log !== undefined && existsSync(log) ? readFileSync(log, "utf8") : "";
  return `${stderr}${logged}`
    .replaceAll(/^(?:\S*\/)?(qemu-system-\w+)\S*: /gm, "$1: ")
    .replaceAll(/from pid \d+ \(\S*\//g, "from pid 1 (DIR/");
}

/** Notes of this life for the test that has it started; QEMU's own process id goes with them. */
function noteOf(options: EmulatorOptions): (note: "start" | "end") => void {
  const state = env["QMPCTL_REPLAY_STATE"];
  if (state === undefined || options.pidfile === undefined) return () => {};
  const [run, qemu] = [takeRun(state), Number(readFileSync(options.pidfile, "utf8"))];
  return (note) => writeNote(state, { run, pid: qemu, note });
}

/**
 * The transcript to write: the file named, or the next number in the folder named. Taken at once, so that two lives can't take the same.
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

/** The folders of all absolute paths in a command line, longest first: they are this machine's, and nobody's business. */
function foldersIn(args: readonly string[]): readonly string[] {
  const paths = args.flatMap((word) => word.split(/[,=]|(?<=^\w+):/)).filter((it) => isAbsolute(it));
  return [...new Set(paths.map((it) => `${dirname(it)}/`))].filter((it) => it !== "//").sort((a, b) => b.length - a.length);
}

function moveMonitors(
  args: readonly string[],
  moved: readonly { readonly address: string; readonly upstream: string; readonly words: string }[],
): readonly string[] {
  return splitOptions(args).flatMap(({ words }) => {
    const monitor = moved.find((it) => it.words === words.join(" "));
    if (monitor === undefined) return words;
    const [name = "", value = ""] = words;
    const from = monitor.address.replace(/^unix:/, "").replaceAll(",", ",,");
    return [
      name,
      value.startsWith("tcp:") || value.includes("port=")
        ? tcpToUnix(name, value, monitor.upstream)
        : value.replace(from, monitor.upstream.slice(5)),
    ];
  });
}

function tcpToUnix(name: string, value: string, upstream: string): string {
  if (name.endsWith("qmp")) return `${upstream},server=on,wait=off`;
  const id = /(?:^|,)id=([^,]*)/.exec(value)?.[1] ?? "";
  return `socket,id=${id},path=${upstream.slice(5)},server=on,wait=off`;
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
    // Not at its exit: what it said last may still be on its way.
    child.once(daemonize ? "exit" : "close", (code, signal) => resolve({ status: code ?? 1, signal }));
    child.once("error", reject);
  });
  const lifeline = child.stdio[LIFELINE] as NodeJS.ReadableStream;
  lifeline.resume();
  // What it says while it starts is told by whoever reports the failure.
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
 * Resolves with 0 when the machine is set up. A QEMU in the foreground says nothing then: its sockets are there before, and its first
 * answer comes after it.
 */
async function isSetUp(folder: string, upstreams: readonly string[]): Promise<number> {
  const there = (): boolean => upstreams.every((it) => existsSync(it.replace("unix:", "")));
  const watcher = watch(folder);
  while (!there()) await once(watcher, "change");
  watcher.close();
  const [first] = upstreams;
  // A socket is there a moment before it can be connected to.
  while (first !== undefined && !(await answers(first))) await wait(10);
  return 0;
}

/** Whether QEMU has answered: false when the connection ended before. */
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
