import { formatCpuList } from "../../host/cpulist.ts";
import { readAffinity } from "../../host/taskset.ts";
import { processOf } from "../../host/threads.ts";
import { vhostThreadsOf } from "../../host/vhost-threads.ts";
import { orNull } from "./answer.ts";
import type { LiveReader } from "./live.ts";

/** Reads the iothreads in the order of their ids. QEMU gives them in an order of its own. */
export const readIothreads: LiveReader = async (session, { pid }) => {
  const found = (await orNull(session.execute("query-iothreads"))) ?? [];
  const iothreads = await Promise.all(
    found.map(async ({ id, "thread-id": number }) => {
      const tid = Number(number);
      return { id, tid, affinity: (await isOf(pid, tid)) ? await maskOf(tid) : null };
    }),
  );
  return { iothreads: iothreads.sort((one, other) => (one.id < other.id ? -1 : 1)) };
};

/** Reads the threads that serve vhost devices: QEMU's own, or the kernel's for it. */
export const readVhost: LiveReader = async (_session, { pid }) => {
  if (pid === null) return { vhost: null };
  const threads = await vhostThreadsOf(pid);
  return { vhost: await Promise.all(threads.map(async ({ tid }) => ({ tid, affinity: await maskOf(tid) }))) };
};

/** A thread id is reused, and QEMU's may be on another host. */
async function isOf(pid: number | null, tid: number): Promise<boolean> {
  return pid !== null && (await processOf(tid)) === pid;
}

/** It may end between an answer and our look. */
async function maskOf(tid: number): Promise<string | null> {
  return readAffinity(tid).then(formatCpuList, () => null);
}
