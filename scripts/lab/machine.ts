/// <reference lib="esnext.disposable" />
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type Exit, exitOf } from "./exit.ts";
import { type Harness, openHarness } from "./harness.ts";

/** One QEMU binary that works. `suite` is its Debian release, or `installed`. */
export interface Qemu {
  readonly suite: string;
  /** Such as `7.2.22`. */
  readonly version: string;
  readonly major: number;
  readonly binary: string;
}

/** A running QEMU that ends with its scope. `ask` and `seen` use the harness, not the code under test. */
export interface Machine extends AsyncDisposable, Harness {
  readonly pid: number;
  readonly folder: string;
  /** Paths of its QMP sockets. */
  readonly monitors: readonly string[];
  /** The address of the first monitor, for the library and the command line. */
  readonly address: string;
  readonly exited: Promise<Exit>;
  /** Signals it and resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** A machine without a guest: a QMP server that starts in 0.1 s. */
export const NO_GUEST: readonly string[] = ["-machine", "none", "-S"];

/** The folder of `npm run testbed`. */
export function testbedFolder(): string {
  return process.env["QMPCTL_TESTBED"] ?? new URL("../../.testbed", import.meta.url).pathname;
}

/** Every real QEMU of this host, oldest first. @throws Error when there is none: a test without a QEMU must not pass */
export async function qemus(): Promise<readonly Qemu[]> {
  const folder = join(testbedFolder(), "qemu", "bin");
  const fetched = (await readdir(folder).catch(() => [])).map((name) => ({
    suite: name.split("-").at(-1) ?? name,
    binary: join(folder, name),
  }));
  const found = await Promise.all([{ suite: "installed", binary: "qemu-system-x86_64" }, ...fetched].map(identify));
  const real = found.filter((qemu) => qemu !== undefined).toSorted((one, other) => one.major - other.major);
  if (real.length === 0) throw new Error("no QEMU found: npm run testbed -- --install");
  return real;
}

/**
 * Those that the longest suites run on: all; with `QMPCTL_QEMUS=two`, as where CI has twenty minutes for everything, the one on the PATH
 * and the newest; or the first of these alone, where something else that CI runs takes the newest (`most`).
 *
 * @throws Error if there is none
 */
export async function qemusInTime(most: 1 | 2 = 2): Promise<readonly Qemu[]> {
  const all = await qemus();
  if (process.env["QMPCTL_QEMUS"] !== "two") return all;
  return all.filter((each) => each.suite === "installed" || each === all.at(-1)).slice(0, most);
}

/** The QEMU on the PATH. */
export async function installed(): Promise<Qemu> {
  const found = await identify({ suite: "installed", binary: "qemu-system-x86_64" });
  if (!found) throw new Error("qemu-system-x86_64 is not on the PATH: npm run testbed -- --install");
  return found;
}

async function identify(candidate: { readonly suite: string; readonly binary: string }): Promise<Qemu | undefined> {
  const answer = await promisify(execFile)(candidate.binary, ["--version"]).catch(() => undefined);
  const version = /version (\d+\.\d+\.\d+)/.exec(answer?.stdout ?? "")?.[1];
  return version === undefined ? undefined : { ...candidate, version, major: Number.parseInt(version, 10) };
}

/** A private folder with a path that is short enough for a Unix socket. */
export async function privateFolder(prefix = "qmpctl-"): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Starts a QEMU. Resolves when its main loop answers and all its sockets listen. Rejects with QEMU's own message. */
export async function launch(
  binary: string,
  args: readonly string[],
  options: { readonly monitors?: number; readonly folder?: string; readonly timeout?: number } = {},
): Promise<Machine> {
  const own = options.folder === undefined ? await privateFolder() : undefined;
  const folder = options.folder ?? own?.path ?? "";
  const monitors = Array.from({ length: options.monitors ?? 1 }, (_, index) => join(folder, `monitor${index}.sock`));
  const child = start(binary, [
    ...["-display", "none", "-nodefaults", "-no-user-config", ...args],
    ...monitors.flatMap((path) => ["-qmp", `unix:${path},server=on,wait=off`]),
    ...["-chardev", "socket,id=harness,fd=3", "-qmp", "chardev:harness"],
  ]);
  const exited = exitOf(child);
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  const dispose = async (): Promise<void> => {
    await kill();
    await own?.[Symbol.asyncDispose]();
  };
  try {
    const harness = await openHarness(child.stdio[3] as Socket, exited, options.timeout ?? 15_000);
    if (child.pid === undefined) throw new Error(`${binary} was not started`);
    return {
      pid: child.pid,
      folder,
      monitors,
      address: `unix:${monitors[0] ?? ""}`,
      ...harness,
      exited,
      kill,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Starts it with `setpriv`, so that the kernel ends QEMU if the test runner dies. */
function start(binary: string, args: readonly string[]): ChildProcess {
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", binary, ...args], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
}

/**
 * Ends a QEMU in the background, by its pid or pidfile, and resolves when it is gone.
 * A pid from a pidfile counts only if that process has the pidfile on its command line, because pids are reused.
 */
export async function killDaemon(daemon: number | string): Promise<void> {
  const pid = typeof daemon === "number" ? daemon : Number.parseInt(await readFile(daemon, "utf8").catch(() => ""), 10);
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (typeof daemon === "string" && !commandLine.includes(daemon)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
  // The kernel tells only the parent when a process ends. Others must look in /proc.
  while (await isRunning(pid)) await delay(5);
}

/** A process keeps its sockets and its locks on disks until its last thread has ended, not only its first. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, threads] = [fields?.[0], fields?.[17]];
  return state !== undefined && state !== "X" && !(state === "Z" && threads === "1");
}

/** A program that copies bytes between stdin/stdout and a Unix socket, as socat does behind ssh. */
export function carrier(path: string): readonly string[] {
  const program =
    'const s = require("node:net").connect(process.argv[1]); process.stdin.pipe(s).pipe(process.stdout); s.on("close", () => process.exit(0));';
  return [process.execPath, "-e", program, path];
}
