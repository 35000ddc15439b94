import { statePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { deadlineIn, now } from "../../deadline.ts";
import { statusAt } from "../../file-status.ts";
import { cgroupMemoryOf } from "../../host/cgroup-memory.ts";
import type { ProcessIdentity } from "../../host/signal.ts";
import { tapsOf } from "../../host/taps.ts";
import type { Session } from "../../qmp/session.ts";
import type { QueryBlockstatsItem } from "../../schema/generated/types.ts";
import { whereRecordsAre } from "../change/record-places.ts";
import { orNull } from "../facts/answer.ts";
import { readBalloonTarget } from "../facts/balloon-target.ts";
import type { Facts } from "../facts/facts.ts";
import { readHostMemory } from "../facts/host-memory.ts";
import { memoryNow } from "../facts/live-memory.ts";
import type { Live, LiveReader } from "../facts/live.ts";
import { type Channel, hasEnded, type Opened, whyUnreachable } from "../facts/open.ts";
import { readFacts } from "../facts/read.ts";
import { findMachine } from "../machine/find.ts";
import { describeHolders, holdersOf } from "../machine/holders.ts";
import type { Identity } from "../machine/identity.ts";
import { readStored } from "../machine/lock.ts";
import { openSession } from "../machine/open.ts";
import type { Place } from "../machine/place.ts";
import { whyStopped } from "../machine/wait-notice.ts";
import { withDeadline } from "../machine/with-deadline.ts";
import { ONE_SIDE } from "../resources/row.ts";
import { type Allocation, configAllocation, liveAllocation } from "./inspect.ts";
import type { Difference, MachineSample } from "./sample.ts";
import { diskStats } from "./stats.ts";

/** What a look at one domain, over its monitor, has found. */
export interface Glance {
  readonly process: ProcessIdentity | null;
  readonly state: MachineSample["state"];
  readonly reason?: string;
  /** Of the running machine if it answered, else of the config. */
  readonly allocation: Allocation;
  /** The numbers of its vCPUs and their threads; null if it was not heard. */
  readonly threads: readonly { readonly vcpu: number; readonly tid: number }[] | null;
  readonly target: number | null;
  readonly guest: MachineSample["memory"]["guest"];
  readonly cgroup: number | null;
  readonly disks: MachineSample["disks"];
  /** The names of its TAP interfaces. */
  readonly taps: readonly string[];
  /** Null if this was not looked at this time. */
  readonly differs: readonly Difference[] | null;
  readonly interrupted: boolean;
  /** When QEMU answered; null if it did not. */
  readonly answered: number | null;
}

const NOTHING: Allocation = { memory: null, maxMemory: null, vcpus: null, maxVcpus: null };

/**
 * Looks at a domain and lets go of its monitor at once. A monitor that another client holds is left alone: nobody queues behind it, as that
 * would keep others out. `whole`: also compares both halves, which takes several times as long.
 *
 * @throws ConfigError when its config can't be read; the signal's reason
 */
export async function glance(place: Place, whole: boolean, signal: AbortSignal | undefined): Promise<Glance> {
  const by = deadlineIn(place.timeout);
  const stored = await readStored(place);
  const { machine, hindrance, key } = await findMachine(place, stored);
  const unheard = unheardOf(stored, machine);
  if (machine === null) return { ...unheard, state: "stopped", interrupted: await isInterrupted(place, key, stored, null) };
  await using opened = await openFree(place, machine, by, signal);
  const interrupted = (facts: Facts | null): Promise<boolean> => isInterrupted(place, key, stored, facts);
  if (opened.held !== undefined) return { ...unheard, state: null, reason: opened.held, interrupted: await interrupted(null) };
  const asked: Asked = { blocks: null, target: null };
  const facts = await readFacts(place, { stored, machine, hindrance }, opened, {
    ...{ by, signal, readers: whole ? await readers() : [] },
    also: (session, live) => ask(session, live, asked),
  });
  const { live, state, why } = facts;
  if (live === null) {
    const isGone = state === "stopped" || (await hasEnded(place, machine));
    const reason = why === undefined || isGone ? {} : { reason: why };
    return {
      ...unheard,
      process: isGone ? null : machine.process,
      state: isGone ? "stopped" : state,
      ...reason,
      interrupted: await interrupted(facts),
    };
  }
  return {
    // Where the device's registers can't be read, what was asked of it is the best that is known.
    ...(await heard(live, { ...asked, target: asked.target ?? facts.asked.balloon ?? null })),
    process: machine.process,
    state,
    differs: whole ? await differencesIn(facts) : null,
    interrupted: await interrupted(facts),
    answered: now(),
  };
}

function unheardOf(stored: Stored | null, machine: Identity | null): Omit<Glance, "state"> {
  return {
    process: machine?.process ?? null,
    allocation: stored === null ? NOTHING : configAllocation(stored.config),
    ...{ threads: null, target: null, guest: null, cgroup: null, disks: null, taps: [], differs: null },
    ...{ interrupted: false, answered: null },
  };
}

interface Asked {
  blocks: readonly QueryBlockstatsItem[] | null;
  target: number | null;
}

async function ask(session: Session, { memory: { balloon, size } }: Live, asked: Asked): Promise<void> {
  const [blocks, target] = await Promise.all([
    orNull(session.execute("query-blockstats")),
    balloon === null ? null : readBalloonTarget(session, size),
  ]);
  Object.assign(asked, { blocks, target });
}

type Heard = Pick<Glance, "allocation" | "threads" | "target" | "guest" | "cgroup" | "disks" | "taps">;

async function heard(live: Live, { blocks, target }: Asked): Promise<Heard> {
  const { memory, pid, vcpus } = live;
  const [taps, cgroup] = pid === null ? [[], null] : await Promise.all([tapsOf(pid), cgroupMemoryOf(pid)]);
  const allocation = liveAllocation(live);
  return {
    // As `setmem` and the balloon count, with what virtio-mem gives besides.
    allocation: { ...allocation, memory: memoryNow(memory) + (memory.virtioMem ?? 0), maxMemory: memory.size + (memory.virtioMem ?? 0) },
    threads: pid === null ? [] : vcpus.map(({ index, tid }) => ({ vcpu: index, tid })),
    target: target === null || target === memory.actual ? null : target + (memory.virtioMem ?? 0),
    guest: memory.guest === null ? null : { total: memory.guest.total, available: memory.guest.available },
    cgroup: cgroup?.charged ?? null,
    disks: { at: now(), disks: (blocks ?? []).flatMap(diskStats) },
    taps: taps.map((each) => each.interface),
  };
}

/** All that `diff` reads, but what the kernel takes long to count. */
async function readers(): Promise<readonly LiveReader[]> {
  return (await import("../resources/kinds.ts")).ALL_READERS.filter((read) => read !== readHostMemory);
}

async function differencesIn(facts: Facts): Promise<readonly Difference[]> {
  const { diffOf } = await import("./diff.ts");
  return diffOf(facts).flatMap(({ resource, why }) => (why === null ? [] : [{ resource, kind: kindOf(why), why }]));
}

function kindOf(why: string): Difference["kind"] {
  return /next start/.test(why) ? "next start" : why.includes(ONE_SIDE) ? "drift" : "moving";
}

/** Whether a record of a change or an action is left whose writer is gone. Told without the lock. */
async function isInterrupted(place: Place, key: string, stored: Stored | null, facts: Facts | null): Promise<boolean> {
  const books = statePaths(place.folders, key);
  const places = await whereRecordsAre(place, books, stored);
  if (places.every(({ journal }) => statusAt(journal) === undefined)) return false;
  const { unresolved } = await import("../change/unresolved.ts");
  const known = facts ?? {
    state: "stopped" as const,
    config: null,
    live: null,
    asked: {},
    online: new Set<number>(),
    present: new Set<number>(),
  };
  // A record that can't be read has to be resolved, too.
  return unresolved(place, books, stored, known).then(
    (record) => record !== null,
    () => true,
  );
}

/** A monitor that nobody else has: the watchers' first. `held`: who has them all. A QEMU that does not answer is no error. */
async function openFree(
  place: Place,
  machine: Identity,
  by: ReturnType<typeof deadlineIn>,
  signal: AbortSignal | undefined,
): Promise<Opened<Channel> & { readonly held?: string }> {
  const nothing = { open: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  const { control, watch, obstacle, process } = machine.known;
  const stopped = await whyStopped(process?.pid ?? null);
  if (stopped !== null || obstacle !== null) return { ...nothing, why: stopped ?? obstacle ?? "" };
  let held: string | undefined;
  for (const address of [watch, control]) {
    if (address === null) continue;
    const clients = await holdersOf(machine, address);
    if (clients?.isHeld === true) {
      held = describeHolders(address, clients.who);
      continue;
    }
    try {
      const session = await openSession(machine, { by, signal }, address);
      return {
        open: {
          ask: (question, options) => withDeadline(() => question(session), `${place.name}: the monitor`, { ...options, least: 0 }),
          foundProcess: () => {},
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      };
    } catch (error) {
      signal?.throwIfAborted();
      return { ...nothing, why: await whyUnreachable(place, machine, error) };
    }
  }
  return held === undefined ? { ...nothing, why: "it has no monitor" } : { ...nothing, held };
}
