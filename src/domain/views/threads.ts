import type { LaunchConfig } from "../../config/launch.ts";
import { readPolicy } from "../../host/chrt.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import { readAffinity } from "../../host/taskset.ts";
import { usageOf } from "../../host/thread-usage.ts";
import { type Thread, threadsOf } from "../../host/threads.ts";
import { vhostThreadsOf } from "../../host/vhost-threads.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { readThreads } from "../facts/read-threads.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { ownValue } from "../resources/cpu-list.ts";

/**
 * What a thread of QEMU is: its main thread, a vCPU, an iothread, a thread of a vhost device, one that a vCPU has left behind (software
 * emulation keeps it), or any other, which serves disks and devices.
 */
export type ThreadRole = "main" | "vcpu" | "iothread" | "vhost" | "former-vcpu" | "worker";

/** One thread of a running QEMU. */
export interface ThreadInfo {
  readonly tid: number;
  /** Its name in /proc, as `CPU 1/KVM`; null if the thread is not on this host. */
  readonly name: string | null;
  readonly role: ThreadRole;
  /** The vCPU's number, or the iothread's id; null for others. */
  readonly of: number | string | null;
  /** It is the kernel's thread, and not one of the process. */
  readonly isKernel?: true;
  /** The CPUs that it may run on now, as a Linux CPU list, and its scheduling policy, as `other` or `fifo:1`. */
  readonly affinity: string | null;
  readonly policy: string | null;
  /** The host CPU that it last ran on. */
  readonly cpu: number | null;
  /** Milliseconds of CPU time used. */
  readonly cpuTime: number | null;
  /** What the config says for it: a Linux CPU list, and a policy; null where it says nothing. */
  readonly pin: string | null;
  readonly sched: string | null;
}

/**
 * All threads of a running QEMU, and the kernel's threads that serve its vhost devices, by their ids. None if it is stopped. Of a QEMU on
 * another host only those that QEMU itself names.
 */
export async function inspectThreads(place: Place, options: ReadOptions = {}): Promise<readonly ThreadInfo[]> {
  const { facts } = await readBoth(place, { ...options, readers: [readThreads] });
  const { live } = facts;
  if (live === null) return [];
  const known = rolesOf(live);
  const threads = live.pid === null ? [...known.keys()].map((tid) => ({ tid, name: "" })) : await threadsOf(live.pid);
  const kernel = live.pid === null ? [] : (await vhostThreadsOf(live.pid)).filter(({ tid }) => !threads.some((each) => each.tid === tid));
  const own = threads.map((thread) => infoOf(thread, known.get(thread.tid) ?? roleOf(thread, live), facts));
  const others = kernel.map(async (thread) => ({ ...(await infoOf(thread, { role: "vhost", of: null }, facts)), isKernel: true as const }));
  return (await Promise.all([...own, ...others])).toSorted((one, other) => one.tid - other.tid);
}

type Role = Pick<ThreadInfo, "role" | "of">;

/** The threads that QEMU itself names. With `tcg,thread=single` the first vCPU stands for all. */
function rolesOf({ vcpus, iothreads = [] }: Live): ReadonlyMap<number, Role> {
  const roles = new Map<number, Role>();
  for (const { tid, index } of vcpus.toReversed()) roles.set(tid, { role: "vcpu", of: index });
  for (const { tid, id } of iothreads) roles.set(tid, { role: "iothread", of: id });
  return roles;
}

function roleOf({ tid, name }: Thread, { pid }: Live): Role {
  if (tid === pid) return { role: "main", of: null };
  if (/^vhost-\d+$/.test(name)) return { role: "vhost", of: null };
  return { role: /^CPU \d/.test(name) ? "former-vcpu" : "worker", of: null };
}

async function infoOf({ tid }: Thread, role: Role, { live, config }: Facts): Promise<ThreadInfo> {
  const usage = live?.pid === null ? undefined : await usageOf(tid);
  return {
    tid,
    name: usage?.name ?? null,
    ...role,
    affinity: usage === undefined ? null : await readAffinity(tid).then(formatCpuList, () => null),
    policy: usage === undefined ? null : policyOf(tid),
    cpu: usage?.cpu ?? null,
    cpuTime: usage?.cpuTime ?? null,
    ...said(role, config),
  };
}

/** It may end while we look. */
function policyOf(tid: number): string | null {
  try {
    return readPolicy(tid);
  } catch {
    return null;
  }
}

function said({ role, of }: Role, config: LaunchConfig | null): Pick<ThreadInfo, "pin" | "sched"> {
  const { threads, vcpus } = config ?? {};
  switch (role) {
    case "vcpu":
      return { pin: ownValue(vcpus?.pin, String(of)) ?? null, sched: ownValue(vcpus?.sched, String(of)) ?? null };
    case "iothread":
      return { pin: ownValue(threads?.iothreads, String(of)) ?? null, sched: ownValue(threads?.iothreadsSched, String(of)) ?? null };
    case "vhost":
      return { pin: threads?.vhost ?? null, sched: null };
    case "former-vcpu":
      return { pin: null, sched: null };
    default:
      return { pin: threads?.emulator ?? null, sched: threads?.emulatorSched ?? null };
  }
}
