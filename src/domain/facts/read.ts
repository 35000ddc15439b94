import { statePaths, type StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { deadlineIn, partOf } from "../../deadline.ts";
import { onlineCpus, presentCpus } from "../../host/taskset.ts";
import type { Session } from "../../qmp/session.ts";
import { findMachine } from "../machine/find.ts";
import type { Identity } from "../machine/identity.ts";
import { readStored } from "../machine/lock.ts";
import type { AskOptions } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { domainStateOf } from "../model/run-state.ts";
import { readBalloonTarget } from "./balloon-target.ts";
import type { Facts } from "./facts.ts";
import type { ConfigReader } from "./images.ts";
import { type Live, type LiveReader, readersTold, readLive } from "./live.ts";
import { type MachineNotes, readNotes } from "./notes.ts";
import { type Channel, type Found, hasEnded, type Opened, openToLook, whyUnreachable } from "./open.ts";

/** What to read besides what is always read of a running machine. */
export interface FactsOptions {
  readonly readers?: readonly LiveReader[];
  /** Reads more of what the config names. */
  readonly onConfig?: ConfigReader | undefined;
  /** A question to be asked beside the facts, of a QEMU that answers. */
  readonly also?: (session: Session, live: Live) => Promise<void>;
}

/**
 * Reads both halves of a domain, and what is noted of its machine: the one reader of facts. QEMU is asked on the channel that was opened to
 * it, if there is one.
 *
 * @throws the signal's reason. A QEMU that does not answer is no error: the facts say `unreachable`, and why
 */
export async function readFacts(
  place: Place,
  found: Found,
  opened: Opened<Channel>,
  { onConfig, ...options }: AskOptions & FactsOptions,
): Promise<Facts> {
  const facts = await readWithout(place, found, opened, options);
  return onConfig === undefined || facts.config === null ? facts : { ...facts, config: await onConfig(facts.config) };
}

async function readWithout(
  place: Place,
  { stored, machine, hindrance }: Found,
  { open, why }: Opened<Channel>,
  { readers, also, ...options }: AskOptions & FactsOptions,
): Promise<Facts> {
  if (why !== undefined) return unreachable(stored, why);
  if (open === null || machine === null) return stopped(stored, hindrance);
  try {
    const facts = await open.ask(async (session) => {
      const read = await factsOf(place, stored, session, machine, { readers, by: options.by });
      await also?.(session, read.live);
      return read;
    }, options);
    open.foundProcess(facts.live.pid);
    return facts;
  } catch (error) {
    options.signal?.throwIfAborted();
    // It greeted, and is silent or gone: whatever it is, it is not known to be stopped.
    return unreachable(stored, await whyUnreachable(place, machine, error));
  }
}

/** Both halves of a domain, read once. */
export interface Both {
  readonly stored: Stored | null;
  /** Null if it is stopped. */
  readonly machine: Identity | null;
  readonly books: StatePaths;
  readonly facts: Facts;
}

/** How long reading may take, in milliseconds, unless the caller says otherwise. */
const READ_TIMEOUT = 10_000;

/**
 * Reads both halves of a domain without its lock, to look only. There is one deadline for all of it, with what is `also` asked.
 *
 * @throws ConfigError when the config can't be read; the signal's reason
 */
export async function readBoth(place: Place, { signal, timeout, ...more }: ReadOptions & FactsOptions = {}): Promise<Both> {
  const by = deadlineIn(timeout ?? Math.max(READ_TIMEOUT, 2 * place.timeout));
  const stored = await readStored(place);
  const { machine, hindrance, key } = await findMachine(place, stored);
  const found = { stored, machine, hindrance };
  const books = statePaths(place.folders, key);
  await using opened = await openToLook(place, found, { by: partOf(by, timeout ?? place.timeout), signal });
  const facts = await readFacts(place, found, opened, { by, signal, ...more });
  const isStopped = facts.state === "stopped" || (facts.live === null && machine !== null && (await hasEnded(place, machine)));
  if (!isStopped) return { stored, machine, books, facts };
  return { stored, machine: null, books, facts: await stopped(stored, hindrance) };
}

async function stopped(stored: Stored | null, hindrance: string | null): Promise<Facts> {
  return { ...(await withoutLive(stored)), state: "stopped", ...(hindrance === null ? {} : { why: hindrance }) };
}

async function unreachable(stored: Stored | null, why: string): Promise<Facts> {
  return { ...(await withoutLive(stored)), state: "unreachable", why };
}

async function withoutLive(stored: Stored | null): Promise<Omit<Facts, "state">> {
  return { config: stored?.config ?? null, live: null, asked: {}, ...(await hostFacts()) };
}

/** The facts of a machine that answers. Its identity was checked on the `session`. */
async function factsOf(
  place: Place,
  stored: Stored | null,
  session: Session,
  machine: Identity,
  { readers = [], by }: { readonly readers?: readonly LiveReader[] | undefined; readonly by: AskOptions["by"] },
): Promise<Facts & { readonly live: Live }> {
  const live = await readLive(session, machine.pid, readersTold({ config: stored?.config ?? null, by }, readers));
  const [noted, host] = await Promise.all([
    readNotes(statePaths(place.folders, machine.known.key), machine.process, live, machine.known.folder),
    hostFacts(),
  ]);
  const asked = await confirmed(noted, live, session);
  const { config: ownConfig } = machine.known;
  const own = stored !== null || ownConfig === undefined ? {} : { ownConfig };
  return { config: stored?.config ?? null, live, asked, state: domainStateOf(live.status), ...own, ...host };
}

/** The target is read from the device if the guest has not reached it: the noted one may be void, or may never have been set. */
async function confirmed(noted: MachineNotes, { memory: { actual, size } }: Live, session: Session): Promise<MachineNotes> {
  const { balloonOr, ...sure } = noted;
  const isDone = balloonOr === undefined && (sure.balloon === undefined || sure.balloon === actual);
  const target = isDone || actual === null ? null : await readBalloonTarget(session, size);
  return target === null ? noted : { ...sure, balloon: target };
}

async function hostFacts(): Promise<Pick<Facts, "online" | "present">> {
  const [online, present] = await Promise.all([onlineCpus(), presentCpus()]);
  return { online, present };
}
