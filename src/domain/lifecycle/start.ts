import { startedVcpus } from "../../config/argv.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { plannedMemory } from "../../config/memory-in-args.ts";
import { onlineVcpus } from "../../config/online-vcpus.ts";
import type { StatePaths } from "../../config/runtime.ts";
import { formatSize } from "../../config/size.ts";
import type { Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { formatTime, HostError, messageOf } from "../../errors.ts";
import { identifySelf } from "../../host/own-process.ts";
import type { Session } from "../../qmp/session.ts";
import { removeRecord, writeRecord } from "../change/journal.ts";
import { told } from "../change/telling.ts";
import { refuseUnresolved } from "../change/unresolved.ts";
import { startMemory } from "../facts/live-memory.ts";
import { type Live, readLive } from "../facts/live.ts";
import { writeNotes } from "../facts/notes.ts";
import { othersOf } from "../machine/find.ts";
import { type Held, lockMachine } from "../machine/lock.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { readProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import { WaitNotice } from "../machine/wait-notice.ts";
import type { StartReport } from "../model/action.ts";
import { hindered, StateError } from "../model/errors.ts";
import { KINDS, startReaders } from "../resources/kinds.ts";
import { bringsThreads } from "../resources/registry.ts";
import { cleanUp, launch, type Launched } from "./launch.ts";
import { letGo } from "./let-go.ts";
import { giveOwnGroup, groupRemover } from "./own-group.ts";
import { notesOf } from "./start-notes.ts";
import { mustBeStartable } from "./startable.ts";
import { noteProcess, type SupervisedStart } from "./supervised.ts";

/**
 * How long a start may take, in milliseconds, unless the caller says otherwise: QEMU may have memory to fill, devices to set up, or a
 * client to wait for.
 */
export const START_TIMEOUT = 60_000;

/**
 * Takes the lock, and starts the machine, with one deadline for both. @throws as `startMachine` does; LockedError; InterruptedError when
 * something has to be resolved first
 */
export async function startDomain(place: Place, options: SupervisedStart): Promise<StartReport> {
  const deadline = deadlineIn(options.timeout ?? START_TIMEOUT);
  await using held = await lockMachine(place, { ...options, by: deadline });
  await refuseUnresolved(place, held);
  return await startMachine(place, held, deadline, options);
}

/**
 * Starts the domain's machine under its lock: launched stopped, read back, pins and the balloon's target applied, then let go. What can be
 * checked is checked first. A record says that a start is in progress. If any of it fails, is interrupted or takes too long, the machine is
 * ended again.
 *
 * @throws StateError when it runs, or can't start; HostError with QEMU's words; the signal's reason
 */
export async function startMachine(place: Place, held: Held, deadline: Deadline, options: SupervisedStart): Promise<StartReport> {
  const stored = await mayStart(place, held);
  await writeRecord(held.books, { action: "start", paused: options.paused === true }, stored, null);
  try {
    const action = { what: "start", domain: place.name } as const;
    return await told(held.books, action, () => launchAndLetGo(place, held, stored, deadline, options), startedAs);
  } finally {
    await removeRecord(held.books);
  }
}

/** What a history tells of a start. */
export function startedAs({ pid }: StartReport): string {
  return `process ${pid}`;
}

/** Checks whether it may be started at all; nothing was touched before. @throws StateError when it may not */
export async function mayStart(place: Place, { stored, machine, hindrance }: Held): Promise<Stored> {
  if (stored === null)
    throw new StateError(`${place.name}: a transient machine has no config to start from; define it first`, "unreachable");
  if (machine !== null) {
    const { obstacle } = machine.known;
    throw new StateError(
      `${place.name}: it runs already${machine.pid === null ? `, as something answers at ${machine.known.control}` : ` (process ${machine.pid})`}${obstacle === null ? "" : `, and ${obstacle}`}`,
      "running",
    );
  }
  if (hindrance !== null) throw hindered(place.name, hindrance);
  await mustBeStartable(stored);
  return stored;
}

/** The start itself; the caller keeps the record of it. @throws as `startMachine` does */
export async function launchAndLetGo(
  place: Place,
  { books }: Pick<Held, "books">,
  stored: Stored,
  deadline: Deadline,
  options: SupervisedStart,
): Promise<StartReport> {
  using notice = new WaitNotice(options.onProgress);
  notice.enter("QEMU sets the machine up", deadline);
  await using launched = await launch(place, stored, books, deadline, options.signal);
  const { machine, monitor, folder } = launched;
  try {
    const { process } = machine;
    if (process === null) throw new HostError(`${place.name}: ${stored.config.emulator} wrote no pidfile`);
    await refuseTwins(place, stored, process.pid);
    notice.enter("QEMU is being asked", deadline, { pid: process.pid });
    const { live, notes: prepared } = await prepareMachine(
      place,
      { books, stored, isSupervised: options.supervise !== undefined },
      monitor,
    );
    options.signal?.throwIfAborted();
    if (deadline.left() === 0) throw new HostError(`${place.name}: QEMU did not answer within ${formatTime(deadline.timeout)}`);
    await noteProcess(books, stored, machine, options.supervise === undefined ? {} : { supervisor: await identifySelf() });
    if (options.paused !== true) await letGo(launched, place.name);
    options.supervise?.(launched);
    const notes = [
      ...(await notesOf(stored, { folder, pid: process.pid, isSupervised: options.supervise !== undefined }, options)),
      ...prepared,
    ];
    return {
      name: place.name,
      pid: process.pid,
      vcpus: live.vcpus.length,
      memory: plannedMemory(stored.config),
      notes,
      elapsed: deadline.elapsed(),
    };
  } catch (error) {
    await endAgain(launched, books, messageOf(error).replace(`${place.name}: `, ""));
    throw error;
  }
}

/** Refuses a second QEMU of the machine. The lock keeps two starts apart, but other users, or another root, have a lock of their own. */
async function refuseTwins(place: Place, stored: Stored, pid: number): Promise<void> {
  const [other] = await othersOf(stored, pid);
  if (other !== undefined)
    throw new StateError(
      `${place.name}: somebody else has started it at the same time: process ${other.pid} of user ${other.uid}`,
      "running",
    );
}

/**
 * Makes the stopped machine what its config says, and reads it back. The notes are for the caller. @throws HostError when it is not what
 * the config says
 */
export async function prepareMachine(
  place: Place,
  { books, stored, isSupervised }: { readonly books: StatePaths; readonly stored: Stored; readonly isSupervised?: boolean },
  monitor: Monitor,
): Promise<{ readonly live: Live; readonly notes: readonly string[] }> {
  const { config } = stored;
  const notes = await ownGroup(place, stored, monitor.pid, isSupervised);
  const read = (): Promise<Live> => readLive(monitor.session, monitor.pid, startReaders(config));
  const before = await read();
  checkVcpus(place, before, config);
  check(place, "maximum memory", formatSize(startMemory(before.memory)), formatSize(config.memory.max));
  const live = await applyResources(place, stored, before, { session: monitor.session, read });
  await writeNotes(books, monitor.target.machine.process, {
    threads: live.vcpus.length,
    ...(config.memory.current < config.memory.max ? { balloon: plannedMemory(config) } : {}),
  });
  return { live, notes };
}

async function ownGroup({ name }: Place, stored: Stored, pid: number | null, isSupervised = false): Promise<readonly string[]> {
  if (pid === null) return [];
  return naming(name, async () => giveOwnGroup({ config: stored.config, id: await machineIdOf(stored), pid, isSupervised }));
}

function check(place: Place, what: string, actual: number | string, wanted: number | string): void {
  if (actual !== wanted) throw new HostError(`${place.name}: QEMU started with ${what} ${actual}, the config says ${wanted}`);
}

/** vCPUs that are plugged one by one may be there already, if the writer of a start died. */
function checkVcpus(place: Place, { vcpus }: Live, config: LaunchConfig): void {
  const [first, online] = [startedVcpus(config), onlineVcpus(config.vcpus)];
  if (vcpus.length < first || vcpus.some(({ index }) => !online.has(index))) check(place, "vCPUs", vcpus.length, first);
}

interface Asking {
  readonly session: Session;
  readonly read: () => Promise<Live>;
}

/** What each resource of the config needs besides QEMU's command line. @returns the machine as it is then */
async function applyResources({ name }: Place, { config }: Stored, before: Live, { session, read }: Asking): Promise<Live> {
  let live = before;
  for (const kind of KINDS) {
    await naming(name, async () => kind.atStart?.(config, live, session));
    // The others may be about the threads that it brings.
    if (bringsThreads(kind) && live.vcpus.length < config.vcpus.current) live = await naming(name, read);
  }
  return live;
}

/** Says in an error of the host's whose start it was. */
async function naming<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new HostError(`${name}: ${error.message.replace(`${name}: `, "")}`, {}, { cause: error });
  }
}

/** Ends a machine again that is not what its config says: it must not run. */
async function endAgain({ machine, program, folder }: Launched, books: StatePaths, why: string): Promise<void> {
  const removeGroup = groupRemover(machine);
  if (await machine.isThere()) await machine.signal("SIGTERM");
  await program.end();
  // The program that we started may be a script, with QEMU in a group of its own by now.
  if (!(await machine.hasEnded({ by: deadlineIn(1000) }))) {
    await machine.signal("SIGKILL");
    await machine.hasEnded({ by: deadlineIn(5000) });
  }
  await removeGroup();
  await cleanUp(folder, { keepWords: true });
  const record = await readProcessRecord(books);
  // If somebody else's command ended it, that command has said so.
  if (record?.process.pid === machine.pid && record.ended === undefined)
    await writeProcessRecord(books, { ...record, ended: { at: new Date().toISOString(), why } });
}
