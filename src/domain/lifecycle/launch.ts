import { spawn } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { toCommandLine } from "../../config/argv.ts";
import { readPid } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { HostError, messageOf } from "../../errors.ts";
import { lastWords } from "../machine/find.ts";
import { type Place, stderrOf } from "../machine/place.ts";

/** How long an emulator may take to set its machine up, in milliseconds. */
const LAUNCH_TIMEOUT = 30_000;

/**
 * Starts the emulator in the background (`-daemonize`, stopped) and gives the machine's process id, from the pidfile that it wrote.
 * Its stderr goes to a file that outlives us, so that its last words can be told when it dies.
 *
 * @throws HostError with QEMU's own words when it can't start
 */
export async function launch(place: Place, stored: Stored, signal: AbortSignal | undefined): Promise<number> {
  await cleanUp(place);
  const [emulator = "", ...args] = toCommandLine(stored.config, place.runtime);
  const end = await run(emulator, args, place, dirname(stored.path), signal);
  if (end !== null) {
    const words = await lastWords(place);
    throw new HostError(`${place.name}: ${emulator} could not start the machine: ${words ?? end}`, { command: [emulator, ...args], stderr: words ?? undefined });
  }
  const pid = await readPid(place.runtime);
  if (pid === undefined) throw new HostError(`${place.name}: ${emulator} wrote no pidfile`, { command: [emulator, ...args] });
  return pid;
}

/** Removes what a machine that is gone has left: sockets, pidfile, words. Call it under the lock, when nothing runs. */
export async function cleanUp({ runtime }: Place): Promise<void> {
  await Promise.all([runtime.control, runtime.watch, runtime.pidfile, runtime.log, stderrOf(runtime)].map(remove));
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw new HostError(`${path}: what is there can't be removed: ${messageOf(cause)}`, {}, { cause });
  });
}

/** Runs it until it has put the machine in the background. Null when that worked, else how it ended. */
async function run(emulator: string, args: readonly string[], place: Place, folder: string, signal: AbortSignal | undefined): Promise<string | null> {
  // A file, not a pipe: the machine keeps it as its stderr when we are gone.
  await using stderr = await open(stderrOf(place.runtime), "ax", 0o600);
  const timeout = AbortSignal.timeout(LAUNCH_TIMEOUT);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  return new Promise((resolve, reject) => {
    const child = spawn(emulator, args, { cwd: folder, stdio: ["ignore", "ignore", stderr.fd], signal: stop, killSignal: "SIGKILL" });
    child.once("error", (cause) => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else if (timeout.aborted) reject(new HostError(`${place.name}: ${emulator} did not set the machine up within ${LAUNCH_TIMEOUT} ms`, { command: [emulator, ...args] }));
      else reject(new HostError(`${place.name}: ${emulator}: ${notRun(cause)}`, { command: [emulator, ...args] }, { cause }));
    });
    child.once("exit", (code, killed) => resolve(code === 0 ? null : killed === null ? `it ended with status ${code}` : `it was ended by ${killed}`));
  });
}

function notRun(cause: Error): string {
  return (cause as { readonly code?: string }).code === "ENOENT" ? "there is no such program" : messageOf(cause);
}
