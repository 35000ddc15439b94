import { isRealtime } from "../../config/policy.ts";
import { HostError } from "../../errors.ts";
import { chrtArguments, readPolicy, setPolicy } from "../../host/chrt.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { ownThreadsOf } from "../facts/read-threads.ts";
import { iothreadIn, iothreadNow } from "./iothread.ts";
import { threadOf, timeLeft } from "./pinning.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, Work } from "./step.ts";

/** Give threads a scheduling policy. */
export interface SchedStep<T extends number | string | null = number | string | null> extends Step {
  readonly kind: "vcpu-sched" | "iothread-sched" | "emulator-sched";
  /** The vCPU's number, or the iothread's id. */
  readonly target: T;
  readonly policy: string;
  /** The policy of each thread before, by its id, the first one first; null for threads that the same plan brings to life. */
  readonly before: readonly ThreadPolicy[] | null;
  /** Each thread gets the policy that it had before, and `policy` if it is new. */
  readonly isBack?: true;
}

/** A thread's policy, as it was read. */
export interface ThreadPolicy {
  readonly tid: number;
  readonly policy: string;
}

/** Threads that are given a policy together. */
export interface Scheduled<T extends number | string | null> {
  readonly kind: SchedStep["kind"];
  /** As a message names them. */
  name(target: T): string;
  /** As they were read; empty if they are not there. */
  live(target: T, live: Live): readonly ThreadPolicy[];
  /** Their ids as they are now, each checked. @throws HostError when they are gone, or not QEMU's */
  now(target: T, work: Work): Promise<readonly number[]>;
}

/** The thread of a vCPU, by its number. */
export const ofVcpu: Scheduled<number> = {
  kind: "vcpu-sched",
  name: (vcpu) => `vCPU ${vcpu}`,
  live: (vcpu, { vcpus, scheduling }) => {
    const [tid, policy] = [vcpus.find(({ index }) => index === vcpu)?.tid, scheduling?.vcpus.get(vcpu)];
    return tid === undefined || policy === undefined ? [] : [{ tid, policy }];
  },
  now: async (vcpu, work) => [await threadOf(vcpu, work)],
};

/** An iothread, by its id. */
export const ofIothread: Scheduled<string> = {
  kind: "iothread-sched",
  name: (id) => `iothread ${id}`,
  live: (id, live) => {
    const { tid = 0, policy = null } = iothreadIn(live, id) ?? {};
    return policy === null ? [] : [{ tid, policy }];
  },
  now: async (id, work) => [await iothreadNow(id, work)],
};

/** QEMU's main thread and its workers. */
export const ofEmulator: Scheduled<null> = {
  kind: "emulator-sched",
  name: () => "QEMU's own threads",
  live: (_target, { ownThreads = [] }) => ownThreads.flatMap(({ tid, policy }) => (policy === null ? [] : [{ tid, policy }])),
  now: async (_target, { monitor, deadline, signal }) => {
    const { pid } = monitor;
    if (pid === null) throw new HostError("QEMU's threads are not on this host");
    return await monitor.ask((session) => ownThreadsOf(session, pid), { by: deadline, signal });
  },
};

/** What is said of a policy of real time. */
const STARVES =
  "a thread of fifo or rr runs before all others of its CPUs: one that never sleeps starves them, and the host with them; qmpctl diff shows it, other takes it back";

/** Giving threads a policy by chrt(1). It counts when /proc shows it. */
export function scheduling<T extends number | string | null>(of: Scheduled<T>): StepKind<SchedStep<T>> {
  return {
    kind: of.kind,
    rank: 1,
    asksGuest: false,
    what: ({ target, policy, isBack }) => `schedule ${of.name(target)} ${isBack ? "as before" : `as ${policy}`}`,
    sends: ({ target, policy, before, isBack }, { live }) =>
      lines(isBack ? (before ?? []) : threadsIn(of, target, live).map(({ tid }) => ({ tid, policy })), () => of.name(target), policy),
    undoing: ({ before }) => (before === null ? "the thread is new, and goes away again" : lines(before, () => "", "")),

    begin: async ({ target, policy, before, isBack }, work) => {
      const wanted = (tid: number): string => (isBack ? before?.find((each) => each.tid === tid)?.policy : undefined) ?? policy;
      await schedule(of.name(target), await of.now(target, work), wanted, timeLeft(work));
    },

    readBack: async () => ({ outcome: "done" }),
    inverse: (step, now) => {
      const [first] = step.before ?? [];
      const isThere = of.live(step.target, now).length > 0;
      return first === undefined || !isThere ? [] : [{ ...step, policy: first.policy, isBack: true }];
    },
    remarks: ({ policy, isBack }, outcome) => (outcome === "done" && isBack !== true && isRealtime(policy) ? [STARVES] : []),
  };
}

function threadsIn<T extends number | string | null>(of: Scheduled<T>, target: T, live: Facts["live"]): readonly ThreadPolicy[] {
  return live === null ? [] : of.live(target, live);
}

/** A thread that the plan itself brings to life has no number yet. */
function lines(threads: readonly ThreadPolicy[], name: () => string, policy: string): string {
  const line = (tid: number | string, each: string): string => `chrt ${chrtArguments(tid, each).join(" ")}`;
  return threads.length === 0 ? line(`(thread of ${name()})`, policy) : threads.map((each) => line(each.tid, each.policy)).join("; ");
}

/**
 * Gives each thread a policy. One that ends meanwhile needs none. @throws HostError when one has another policy after; as `setPolicy` does
 */
export async function schedule(who: string, tids: readonly number[], wanted: (tid: number) => string, timeout: number): Promise<void> {
  for (const [position, tid] of tids.entries()) {
    const policy = wanted(tid);
    // What is so already needs no right to change it.
    const actual = await set(tid, policy, timeout).catch((error: unknown) => {
      if (position === 0 || isThere(tid)) throw withReason(error, policy);
      return policy;
    });
    if (actual !== policy) throw new HostError(`${who}: asked for the policy ${policy}, the kernel gives ${actual}`);
  }
}

async function set(tid: number, policy: string, timeout: number): Promise<string> {
  return readPolicy(tid) === policy ? policy : await setPolicy(tid, policy, { timeout });
}

function isThere(tid: number): boolean {
  try {
    return readPolicy(tid) !== "";
  } catch {
    return false;
  }
}

/** A right that is missing has the same words whatever is missing. */
function withReason(error: unknown, policy: string): unknown {
  if (!(error instanceof HostError) || !isRealtime(policy) || !/not permitted/.test(error.message)) return error;
  const why = "fifo and rr need CAP_SYS_NICE on the host, or a limit of RLIMIT_RTPRIO, and a cgroup that has time for real-time threads";
  return new HostError(`${error.message} (${why})`, {}, { cause: error });
}

/** The policy that a new thread has to be given; null where it has it anyway. A new thread inherits that of QEMU's main thread. */
export function policyToGive(stored: string | undefined, { scheduling }: Live): string | null {
  const main = scheduling?.main ?? "other";
  const wanted = stored ?? "other";
  return wanted === main ? null : wanted;
}

/** The step that gives a vCPU a policy. `before` is null for one that is new. */
export function vcpuSchedStep(vcpu: number, policy: string, before: readonly ThreadPolicy[] | null): SchedStep<number> {
  return { kind: "vcpu-sched", target: vcpu, policy, before };
}

/** The step that gives a new iothread a policy. */
export function iothreadSchedStep(iothread: string, policy: string): SchedStep<string> {
  return { kind: "iothread-sched", target: iothread, policy, before: null };
}
