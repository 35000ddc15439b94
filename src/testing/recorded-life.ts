import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { env, stderr as ownStderr } from "node:process";
import { promisify } from "node:util";
import { splitOptions } from "../config/options.ts";
import { type EmulatorOptions, EmulatorRefusal } from "./emulator-options.ts";
import { takeLife, writeNote } from "./lives.ts";
import { startRecorder } from "./recorder.ts";
import { Recording } from "./recording.ts";
import { joinWords } from "./shell-words.ts";

/** Descriptor that a QEMU in the background keeps to its end: when it closes, QEMU is gone. */
const LIFELINE = 3;

/** A QEMU under record: its end is the end of the recording. */
export interface RecordedLife {
  readonly ended: Promise<void>;
}

/**
 * Starts a real QEMU with its monitors moved to a private folder, and stands between. Resolves when QEMU has set up and the monitors asked for
 * listen. Where QEMU can't start, that is recorded, and its own words are thrown as an EmulatorRefusal.
 */
export async function recordLife(binary: string, args: readonly string[], options: EmulatorOptions, into: string): Promise<RecordedLife> {
  const provenance = await provenanceOf(binary, args);
  const file = nextFile(into);
  const folder = mkdtempSync(join(tmpdir(), "qmp-"));
  const replace = foldersIn([...args, join(folder, "x")]).map((it) => [it, "DIR/"] as const);
  const moved = options.monitors.map((it, index) => ({ ...it, upstream: `unix:${join(folder, `${index}.sock`)}` }));
  const qemu = launch(binary, moveMonitors(args, moved), options.daemonize);
  const status = options.daemonize ? await qemu.started : await Promise.race([qemu.started, socketsIn(folder, moved.length)]);
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    const recording = new Recording(provenance, replace, false);
    recording.stderr(lastWords(qemu.stderr(), options));
    writeFileSync(file, recording.text + `#! exit ${status}\n`);
    throw new EmulatorRefusal(qemu.stderr());
  }
  qemu.passOn();
  const monitors = moved.map((it) => ({ name: it.name, upstream: it.upstream, listen: it.address }));
  const recorder = await startRecorder({ monitors, write: file, provenance, replace });
  const note = noteOf(options);
  note("start");
  const before = qemu.stderr().length;
  const ended = qemu.ended.then(async () => {
    const crashed = options.pidfile !== undefined && existsSync(options.pidfile);
    await recorder.finish({ status: crashed ? "crashed" : "", stderr: lastWords(qemu.stderr().slice(before), options) });
    rmSync(folder, { recursive: true, force: true });
    note("end");
  });
  return { ended };
}

/** A QEMU in the background with a log has its stderr there from the fork on. Folders are this machine's, and so is the suffix of its name. */
function lastWords(stderr: string, { daemonize, log }: EmulatorOptions): string {
  const logged = daemonize && log !== undefined && existsSync(log) ? readFileSync(log, "utf8") : "";
  return `${stderr}${logged}`.replaceAll(/^(?:\S*\/)?(qemu-system-\w+)\S*: /gm, "$1: ").replaceAll(/from pid \d+ \(\S*\//g, "from pid 1 (DIR/");
}

/** Notes of this life for the test that has it started; QEMU's own process id goes with them. */
function noteOf(options: EmulatorOptions): (note: "start" | "end") => void {
  const state = env["QMPCTL_REPLAY_STATE"];
  if (state === undefined || options.pidfile === undefined) return () => {};
  const [life, qemu] = [takeLife(state), Number(readFileSync(options.pidfile, "utf8"))];
  return (note) => writeNote(state, { life, pid: qemu, note });
}

/** The transcript to write: the file named, or the next number in the folder named. Taken at once, so that two lives can't take the same. */
function nextFile(into: string): string {
  if (into.endsWith(".qmp")) return into;
  mkdirSync(into, { recursive: true });
  for (let life = 1; ; life += 1) {
    const file = join(into, `${life}.qmp`);
    if (existsSync(file)) continue;
    writeFileSync(file, "", { flag: "wx" });
    return file;
  }
}

async function provenanceOf(binary: string, args: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await promisify(execFile)(binary, ["--version"]);
  const command = joinWords([basename(binary).replace(/^(qemu-system-\w+)-.*$/, "$1"), ...args.map((word) => word.replace(/(^|[=:,])(?:\/[\w.+@-]+)*\//g, "$1DIR/"))]);
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

function moveMonitors(args: readonly string[], moved: readonly { readonly address: string; readonly upstream: string; readonly words: string }[]): readonly string[] {
  return splitOptions(args).flatMap(({ words }) => {
    const monitor = moved.find((it) => it.words === words.join(" "));
    if (monitor === undefined) return words;
    const [name = "", value = ""] = words;
    const from = monitor.address.replace(/^unix:/, "").replaceAll(",", ",,");
    return [name, value.startsWith("tcp:") || value.includes("port=") ? tcpToUnix(name, value, monitor.upstream) : value.replace(from, monitor.upstream.slice(5))];
  });
}

function tcpToUnix(name: string, value: string, upstream: string): string {
  if (name.endsWith("qmp")) return `${upstream},server=on,wait=off`;
  const id = /(?:^|,)id=([^,]*)/.exec(value)?.[1] ?? "";
  return `socket,id=${id},path=${upstream.slice(5)},server=on,wait=off`;
}

function launch(binary: string, args: readonly string[], daemonize: boolean) {
  const child = spawn(binary, args, { stdio: ["ignore", daemonize ? "ignore" : "inherit", "pipe", "pipe"] });
  let stderr = "";
  let running = false;
  child.stderr?.on("data", (bytes) => {
    stderr += String(bytes);
    if (running) ownStderr.write(bytes);
  });
  const started = new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", reject);
  });
  const lifeline = child.stdio[LIFELINE] as NodeJS.ReadableStream;
  lifeline.resume();
  // What it says while it starts is told by whoever reports the failure.
  const passOn = (): void => {
    running = true;
    ownStderr.write(stderr);
  };
  return { started, passOn, stderr: () => stderr, ended: daemonize ? once(lifeline, "end").then(() => undefined) : started.then(() => undefined) };
}

/** Resolves with 0 when so many sockets are there: a QEMU in the foreground says nothing when it is ready. */
async function socketsIn(folder: string, count: number): Promise<number> {
  const there = (): boolean => Array.from({ length: count }, (_, index) => join(folder, `${index}.sock`)).every(existsSync);
  const watcher = watch(folder);
  while (!there()) await once(watcher, "change");
  watcher.close();
  return 0;
}
