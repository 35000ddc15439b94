import { readPolicy, schedulingRights } from "../../host/chrt.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import { readAffinity } from "../../host/taskset.ts";
import { processOf, threadsOf } from "../../host/threads.ts";
import { vhostThreadsOf } from "../../host/vhost-threads.ts";
import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import { iothreadUses, settingsOf } from "./iothread-use.ts";
import type { ScheduledThread } from "./live-thread.ts";
import type { Live, LiveReader } from "./live.ts";

/** Reads the iothreads, in the order of their ids, and QEMU's own threads: the main thread first, then its workers. */
export const readThreads: LiveReader = async (session, { pid, vcpus }) => {
  const found = (await orNull(session.execute("query-iothreads"))) ?? [];
  const uses = found.length === 0 ? new Map<string, readonly string[]>() : await iothreadUses(session);
  const iothreads = await Promise.all(
    found.map(async (each) => {
      const [{ id }, tid] = [each, Number(each["thread-id"])];
      const thread = (await isOf(pid, tid)) ? await scheduled(tid) : { tid, affinity: null, policy: null };
      return { id, ...thread, settings: await settingsOf(session, each), weighs: "poll-weight" in each, users: uses.get(id) ?? [] };
    }),
  );
  // QEMU gives them in an order of its own.
  iothreads.sort((one, other) => (one.id < other.id ? -1 : 1));
  const own =
    pid === null
      ? []
      : await ownThreads(
          pid,
          [...vcpus, ...iothreads].map(({ tid }) => tid),
        );
  return { iothreads, ownThreads: await Promise.all(own.map(scheduled)) };
};

/** Reads the threads that serve vhost devices: QEMU's own, or the kernel's for it. */
export const readVhost: LiveReader = async (_session, { pid }) => {
  if (pid === null) return { vhost: null };
  const threads = await vhostThreadsOf(pid);
  return { vhost: await Promise.all(threads.map(async ({ tid }) => ({ tid, affinity: await maskOf(tid) }))) };
};

/** Reads the policies of the vCPUs and of the main thread. QEMU is asked nothing. */
export const readScheduling: LiveReader = async (_session, { pid, vcpus }) => {
  const ours = vcpus.flatMap(({ index, tid, affinity }) => {
    const policy = affinity === null ? null : policyOf(tid);
    return policy === null ? [] : [[index, policy] as const];
  });
  const scheduling =
    pid === null
      ? { vcpus: new Map(ours), main: null, rights: { highest: 0, leavesIdle: false } }
      : { vcpus: new Map(ours), main: policyOf(pid), rights: schedulingRights(pid) };
  return { scheduling };
};

/** Threads that carry a name of what has its own mask: a vCPU that has left (software emulation keeps its thread), a vhost thread. */
const NAMED_OTHERS = /^(CPU \d|vhost-)/;

/** The ids of QEMU's own threads as they are now, the main thread first: those that are no vCPUs, iothreads or vhost threads. */
export async function ownThreadsOf(session: Session, pid: number): Promise<readonly number[]> {
  const [cpus, iothreads] = await Promise.all([session.execute("query-cpus-fast"), session.execute("query-iothreads")]);
  return ownThreads(
    pid,
    [...cpus, ...iothreads].map((each) => Number(each["thread-id"])),
  );
}

async function ownThreads(pid: number, others: readonly number[]): Promise<readonly number[]> {
  const not = new Set(others);
  const workers = (await threadsOf(pid)).filter(({ tid, name }) => tid !== pid && !not.has(tid) && !NAMED_OTHERS.test(name));
  return [pid, ...workers.map(({ tid }) => tid)];
}

async function scheduled(tid: number): Promise<ScheduledThread> {
  return { tid, affinity: await maskOf(tid), policy: policyOf(tid) };
}

/** A thread id is reused, and QEMU's may be on another host. */
async function isOf(pid: Live["pid"], tid: number): Promise<boolean> {
  return pid !== null && (await processOf(tid)) === pid;
}

/** It may end between an answer and our look. */
async function maskOf(tid: number): Promise<string | null> {
  return readAffinity(tid).then(formatCpuList, () => null);
}

function policyOf(tid: number): string | null {
  try {
    return readPolicy(tid);
  } catch {
    return null;
  }
}
