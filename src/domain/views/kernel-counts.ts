import { readlinkSync } from "node:fs";
import { kernelFileIfThere } from "../../host/kernel-file.ts";
import { residentOf } from "../../host/resident.ts";
import { schedStatOf } from "../../host/schedstat.ts";
import { countersIn, type TapCounters } from "../../host/taps.ts";
import { processTimeOf, usageOf } from "../../host/thread-usage.ts";
import { threadsOf } from "../../host/threads.ts";
import type { MachineSample, VcpuSample } from "./sample.ts";

/** A vCPU's thread. */
export interface VcpuThread {
  readonly vcpu: number;
  readonly tid: number;
}

/** What the kernel counts of one QEMU. */
export type KernelCounts = Pick<MachineSample, "cpuTime" | "vcpus" | "nets"> & { readonly resident: number | null };

/** Of a machine that does not run. */
export const NO_COUNTS: KernelCounts = { cpuTime: null, vcpus: [], nets: [], resident: null };

/** Reads it: a few small files of /proc, and no more. */
export async function kernelCounts(pid: number, threads: readonly VcpuThread[], nets: readonly TapCounters[]): Promise<KernelCounts> {
  return {
    cpuTime: processTimeOf(pid) ?? null,
    vcpus: await Promise.all(threads.map((each) => vcpuCounts(pid, each))),
    nets,
    resident: residentOf(pid, pid),
  };
}

async function vcpuCounts(pid: number, { vcpu, tid }: VcpuThread): Promise<VcpuSample> {
  // By the process, as ids of threads are reused.
  const sched = schedStatOf(tid, pid);
  const usage = await usageOf(tid, pid);
  return { vcpu, cpu: usage?.cpu ?? null, cpuTime: sched?.ran ?? usage?.cpuTime ?? null, waitTime: sched?.waited ?? null };
}

/** The vCPUs of a QEMU that nobody asks, by the names that `-name debug-threads=on` gives its threads; none without. */
export async function vcpuThreadsOf(pid: number): Promise<readonly VcpuThread[]> {
  return (await threadsOf(pid)).flatMap(({ tid, name }) => {
    const vcpu = /^CPU (\d+)\//.exec(name)?.[1];
    return vcpu === undefined ? [] : [{ vcpu: Number(vcpu), tid }];
  });
}

/** The TAP interfaces of many machines at one moment: what one network namespace counts is read once. */
export class TapReader {
  readonly #read = new Map<string, readonly TapCounters[]>();

  /** Those of these names that a process sees. */
  of(pid: number, names: readonly string[]): readonly TapCounters[] {
    if (names.length === 0) return [];
    const space = namespaceOf(pid);
    const known = this.#read.get(space) ?? countersIn(kernelFileIfThere(`/proc/${pid}/net/dev`) ?? "");
    this.#read.set(space, known);
    return known.filter((each) => names.includes(each.interface));
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return `of process ${pid}`; // another user's
  }
}
