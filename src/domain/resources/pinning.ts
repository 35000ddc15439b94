import { HostError } from "../../errors.ts";
import { type CpuSet, formatCpuList } from "../../host/cpulist.ts";
import { onlineCpus, setAffinity } from "../../host/taskset.ts";
import { processOf } from "../../host/threads.ts";
import type { Facts } from "../facts/facts.ts";
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
    const actual = await setAffinity(tid, wanted, { timeout: Math.max(1, work.deadline.left()) });
    if (!suffices(step, wanted, actual)) {
      throw new HostError(
        `vCPU ${step.vcpu}: asked for CPUs ${formatCpuList(wanted)}, the kernel gives ${formatCpuList(actual)}: a cpuset limits what QEMU may use`,
      );
    }
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

function suffices({ allowSubset }: PinStep, wanted: CpuSet, actual: CpuSet): boolean {
  const within = [...actual].every((cpu) => wanted.has(cpu));
  return within && (allowSubset || actual.size === wanted.size);
}

/** The vCPU's thread as it is now: thread ids are reused, so it has to be one of QEMU's at the moment it is touched. */
async function threadOf(vcpu: number, { monitor, deadline, signal }: Work): Promise<number> {
  const cpus = await monitor.ask((session) => session.execute("query-cpus-fast"), { by: deadline, signal });
  const tid = cpus.find((cpu) => cpu["cpu-index"] === vcpu)?.["thread-id"];
  if (tid === undefined) throw new HostError(`vCPU ${vcpu}: it is not plugged any more`);
  const owner = await processOf(tid);
  if (owner === undefined || owner !== monitor.pid) {
    throw new HostError(`vCPU ${vcpu}: thread ${tid} belongs to process ${owner ?? "none"}, not to QEMU's ${monitor.pid}`);
  }
  return tid;
}
