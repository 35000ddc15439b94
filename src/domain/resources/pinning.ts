import { HostError } from "../../errors.ts";
import { type CpuSet, formatCpuList } from "../../host/cpulist.ts";
import { onlineCpus, setAffinity } from "../../host/taskset.ts";
import { processOf } from "../../host/threads.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { LiveThread } from "../facts/live-thread.ts";
import { resolveCpuList } from "./cpu-list.ts";
import type { StepKind } from "./step-kind.ts";
import type { PinStep, StepEnd, Work } from "./step.ts";

/** Binding a vCPU's thread by taskset(1); counts when the kernel's mask, read back, is the one that was asked for. */
export const pinning: StepKind<PinStep> = {
  kind: "pin",
  rank: 1,
  asksGuest: false,
  what: ({ vcpu, cpus }) => `pin vCPU ${vcpu} to ${cpus === "all" ? "all CPUs" : `CPU ${cpus}`}`,
  sends: ({ vcpu, cpus }, facts) => tasksetLine(vcpu, formatCpuList(resolveCpuList(cpus, facts.online)), facts),
  undoing: ({ vcpu, before }, facts) => (before === null ? "the thread is new, and goes with its vCPU" : tasksetLine(vcpu, before, facts)),

  begin: async (step, work) => {
    const wanted = resolveCpuList(step.cpus, await onlineCpus());
    const tid = await threadOf(step.vcpu, work);
    await bindThread(`vCPU ${step.vcpu}`, tid, wanted, { ...step, timeout: timeLeft(work) });
  },

  readBack: async (): Promise<StepEnd> => ({ outcome: "done" }),
  inverse: ({ vcpu, before }, now) =>
    before === null || !now.vcpus.some((it) => it.index === vcpu)
      ? []
      : [{ kind: "pin", vcpu, cpus: before, before: null, allowSubset: false }],
};

/** A thread that the plan itself brings to life has no number yet. */
function tasksetLine(vcpu: number, list: string, { live }: Facts): string {
  return `taskset -pc ${list} ${live?.vcpus.find((it) => it.index === vcpu)?.tid ?? `(thread of vCPU ${vcpu})`}`;
}

/** The mask that a thread had before a change that is taken back now; null if that is not known. */
export function maskBefore({ tid }: Pick<LiveThread, "tid">, threads: LiveFacts["threadsBefore"]): string | null {
  return threads?.find((each) => each.tid === tid)?.affinity ?? null;
}

/** How a thread is bound. */
export interface BindOptions {
  /** The kernel may give less than was asked for: true where "all CPUs" is meant. */
  readonly allowSubset: boolean;
  /** In milliseconds. */
  readonly timeout: number;
}

/** Binds a thread by taskset(1) and reads its mask back. @throws HostError when the kernel gives other CPUs; as `setAffinity` does */
export async function bindThread(who: string, tid: number, wanted: CpuSet, { allowSubset, timeout }: BindOptions): Promise<void> {
  const actual = await setAffinity(tid, wanted, { timeout });
  const within = [...actual].every((cpu) => wanted.has(cpu));
  if (within && (allowSubset || actual.size === wanted.size)) return;
  throw new HostError(
    `${who}: asked for CPUs ${formatCpuList(wanted)}, the kernel gives ${formatCpuList(actual)}: a cpuset limits what QEMU may use`,
  );
}

/** What is left of the deadline of a step, in milliseconds, for a program that it runs. */
export function timeLeft({ deadline }: Work): number {
  return Math.max(1, deadline.left());
}

/** The vCPU's thread as it is now. @throws HostError when it is gone, or not QEMU's */
export async function threadOf(vcpu: number, { monitor, deadline, signal }: Work): Promise<number> {
  const cpus = await monitor.ask((session) => session.execute("query-cpus-fast"), { by: deadline, signal });
  const tid = cpus.find((cpu) => cpu["cpu-index"] === vcpu)?.["thread-id"];
  if (tid === undefined) throw new HostError(`vCPU ${vcpu}: it is not plugged any more`);
  return ownThread(`vCPU ${vcpu}`, tid, monitor.pid);
}

/** Makes sure that a thread is one of QEMU's at the moment it is touched, as thread ids are reused. @throws HostError when it is not */
export async function ownThread(who: string, tid: number, pid: number | null): Promise<number> {
  const owner = await processOf(tid);
  if (owner !== undefined && owner === pid) return tid;
  throw new HostError(`${who}: thread ${tid} belongs to process ${owner ?? "none"}, not to QEMU's ${pid}`);
}
