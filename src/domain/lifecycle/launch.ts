import { rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { toCommandLine } from "../../config/argv.ts";
import { ownUid } from "../../config/own-user.ts";
import { openFolder, runtimePaths, type RuntimePaths, type StatePaths } from "../../config/runtime.ts";
import { readTail } from "../../config/safe-file.ts";
import { mayUseStdio } from "../../config/stdio.ts";
import type { Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { formatTime, HostError, isErrorCode, messageOf } from "../../errors.ts";
import { type Background, type ProgramConsole, startInBackground } from "../../host/background.ts";
import { identify } from "../../host/signal.ts";
import { isInUse } from "../machine/find-address.ts";
import { othersOf } from "../machine/find.ts";
import { Identity } from "../machine/identity.ts";
import { lastWords, OUTPUT, whyNotKept } from "../machine/last-words.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import { type Monitor, openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { pollUntil } from "../machine/poll-until.ts";

/** A machine that was launched and set up, still stopped, with its control monitor. */
export interface Launched extends AsyncDisposable {
  readonly machine: Identity;
  readonly monitor: Monitor;
  readonly program: Background;
  readonly folder: string;
  /** How its QEMU ended, with its last words. Resolves when it has. */
  howItEnded(): Promise<string>;
}

/** How long a program may take to end after its connection has ended, in milliseconds. */
const END = 200;

/** The pauses between looks for the socket of a QEMU that is starting, in milliseconds: it takes about a hundred. */
const PAUSES: readonly number[] = [10, 10, 10, 20, 20, 50];

/**
 * Starts the emulator in the background, stopped, and waits until it has set the machine up: until it executes the first command of its
 * monitor. The socket is there, and may even greet, long before that. If it fails, whatever was started is ended.
 *
 * @throws HostError with QEMU's own words, also when the deadline passes; the signal's reason
 */
export async function launch(
  place: Place,
  stored: Stored,
  books: StatePaths,
  deadline: Deadline,
  signal: AbortSignal | undefined,
): Promise<Launched> {
  const runtime = await freeRuntime(place, stored);
  await openFolder(runtime.folder);
  await cleanUp(runtime.folder);
  // Scripts lock a machine by the file in its run-time folder, as they could from the first version on.
  await symlink(books.lock, join(runtime.folder, "lock")).catch(() => undefined);
  const id = await machineIdOf(stored);
  const [emulator = "", ...words] = toCommandLine(stored.config, runtime, { id, path: stored.path });
  const console = mayUseStdio(stored.config.args) ? consoleIn(runtime.folder) : undefined;
  const program = await startInBackground(emulator, words, { cwd: dirname(stored.path), output: runtime.output, console }).catch(
    (cause: unknown) => {
      throw new HostError(`${place.name}: ${emulator}: ${notRun(cause)}`, { command: [emulator, ...words] }, { cause });
    },
  );
  const howItEnded = async (): Promise<string> => {
    const { code, signal: killed } = await program.ended;
    return (
      (await lastWords(runtime.folder)) ??
      `${killed === null ? `it ended with status ${code}` : `it was ended by ${killed}`}${await whyNotKept(runtime.folder)}`
    );
  };
  try {
    const { machine, monitor } = await setUp({ place, runtime, id, program, deadline, signal });
    return { machine, monitor, program, folder: runtime.folder, howItEnded, [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose]() };
  } catch (error) {
    const said = (await hasEnded(program)) ? await howItEnded() : await lastWords(runtime.folder);
    await program.end();
    await endRest(stored, program);
    await cleanUp(runtime.folder, { keepWords: true });
    signal?.throwIfAborted();
    const late = deadline.left() === 0;
    const why = late
      ? `QEMU has not set the machine up within ${formatTime(deadline.timeout)}, and was ended${said === null ? "" : `; it says: ${said}`}`
      : `${emulator} could not start the machine: ${said ?? messageOf(error)}`;
    throw new HostError(
      `${place.name}: ${why}`,
      { command: [emulator, ...words], ...(said === null ? {} : { stderr: said }) },
      { cause: error },
    );
  }
}

/**
 * Ends what the program has started in a session of its own, as a script with `setsid` does. That is in no process group of ours, so it is
 * known by its mark and by what is in its environment. A QEMU that somebody else started at the same time, with another state folder, does
 * not have that.
 */
async function endRest(stored: Stored, program: Background): Promise<void> {
  const id = await machineIdOf(stored);
  for (const { pid, started } of (await othersOf(stored, 0)).filter((other) => other.uid === ownUid() && program.started(other.pid))) {
    const rest = new Identity({
      domain: stored.config.name,
      name: null,
      id,
      process: { pid, started },
      key: id,
      control: null,
      watch: null,
      folder: null,
      obstacle: null,
      ours: true,
    });
    await rest.signal("SIGTERM");
    if (await rest.hasEnded({ by: deadlineIn(REST) })) continue;
    await rest.signal("SIGKILL");
    await rest.hasEnded({ by: deadlineIn(REST) });
  }
}

/** How long such a process may take to end, in milliseconds: QEMU does not hear SIGTERM before it is set up. */
const REST = 2000;

/** Whether a program has ended. Its connection may end a moment before the program does. */
async function hasEnded({ ended }: Background): Promise<boolean> {
  const late = new AbortController();
  const over = await Promise.race([ended.then(() => true), wait(END, false, { signal: late.signal }).catch(() => false)]);
  late.abort();
  return over;
}

/** The run-time folder of a domain's name; a folder of its own if the machine of another config uses that one. */
async function freeRuntime({ config, folders, name }: Place, stored: Stored): Promise<RuntimePaths> {
  const usual = runtimePaths(folders, config?.key ?? name);
  if (!(await isInUse(usual))) return usual;
  return runtimePaths(folders, `${config?.key ?? name}@${(await machineIdOf(stored)).slice(0, 8)}`);
}

/** How often a machine that answers may have no pidfile: QEMU writes the file before it listens. */
const TRIES = 3;

interface SetUp {
  readonly place: Place;
  readonly runtime: RuntimePaths;
  readonly id: string;
  readonly program: Background;
  readonly deadline: Deadline;
  readonly signal: AbortSignal | undefined;
}

/** Waits for the machine, for the end of its program, for the deadline or for an interrupt, whichever comes first. */
async function setUp(work: SetUp): Promise<{ readonly machine: Identity; readonly monitor: Monitor }> {
  const over = new AbortController();
  const late = setTimeout(() => over.abort(new HostError("too late")), work.deadline.left());
  void work.program.ended.then(() => over.abort(new HostError("it has ended")));
  const stop = (): void => over.abort(work.signal?.reason);
  work.signal?.addEventListener("abort", stop, { once: true });
  if (work.signal?.aborted === true) stop();
  try {
    return await answering(work, over.signal);
  } finally {
    clearTimeout(late);
    work.signal?.removeEventListener("abort", stop);
  }
}

async function answering(work: SetUp, signal: AbortSignal): Promise<{ readonly machine: Identity; readonly monitor: Monitor }> {
  const by = work.deadline;
  let unwritten = 0;
  const look = async (): Promise<{ readonly machine: Identity; readonly monitor: Monitor } | null> => {
    const machine = await identityOf(work);
    const monitor = await openMonitor(work.place.name, machine, { by, signal }).catch((error: unknown) => {
      if (isErrorCode(error, "connect")) return null;
      throw error;
    });
    if (monitor === null) return null;
    if (machine.process !== null) return { machine, monitor };
    // The pidfile was written after we looked for it, and before QEMU answered.
    await monitor[Symbol.asyncDispose]();
    if (++unwritten === TRIES)
      throw new HostError(
        `QEMU answers, and has written no pidfile at ${work.runtime.pidfile}: does its program add a -pidfile of its own?`,
      );
    return null;
  };
  const { seen } = await pollUntil({ look, done: (found) => found !== null, pauses: PAUSES }, { by, signal });
  if (seen === null) throw new HostError("too late");
  return seen;
}

/** The identity of what was started: its mark, and the pid that QEMU wrote itself. The program that we started may be a script. */
async function identityOf({ place, runtime, id }: SetUp): Promise<Identity> {
  const pid = Number((await readTail(runtime.pidfile)).trim());
  const process = pid > 0 ? await identify(pid) : undefined;
  return new Identity({
    domain: place.name,
    name: null,
    id,
    process: process ?? null,
    key: id,
    control: `unix:${runtime.control}`,
    watch: `unix:${runtime.watch}`,
    folder: runtime.folder,
    obstacle: null,
    ours: true,
  });
}

/** The files of a machine with a console on stdio: a named pipe that it reads, and a file that it writes. */
export function consoleIn(folder: string): ProgramConsole {
  return { input: join(folder, "console.in"), output: join(folder, "console") };
}

/** Removes what a machine that has ended left behind: sockets, pidfile, output. Call it under the lock, when nothing runs. */
export async function cleanUp(folder: string, options: { readonly keepWords?: boolean } = {}): Promise<void> {
  const names = [
    "control.sock",
    "watch.sock",
    "pid",
    "lock",
    "console.in",
    ...(options.keepWords === true ? [] : [OUTPUT, "console", "stderr", "log", "asked.json"]),
  ];
  await Promise.all(names.map((name) => remove(join(folder, name))));
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw new HostError(`${path}: what is there can't be removed: ${messageOf(cause)}`, {}, { cause });
  });
}

function notRun(cause: unknown): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such program",
    EACCES: "this user may not run it",
    ENOEXEC: "this host can't run it",
  };
  return reasons[(cause as { readonly code?: string }).code ?? ""] ?? messageOf(cause);
}
