import { readdir, readFile } from "node:fs/promises";
import { maskOf } from "./rig.ts";
import type { Tids } from "./tids.ts";

/** An iothread that a device uses, and which stays. */
export const IOTHREAD_ARGS: readonly string[] = ["-object", "iothread,id=io0", "-device", "virtio-scsi-pci,id=scsi0,iothread=io0"];

/** What the kernel says of these threads, by the labels of diff. */
export async function lookAtThreads({ main, vcpus, iothreads, polling, vhost }: Tids): Promise<Readonly<Record<string, string>>> {
  const pairs = await Promise.all([
    ...Object.entries(iothreads).flatMap(([id, tid]) => [
      pair(`iothread-pin ${id}`, maskOf(tid)),
      pair(`iothread-sched ${id}`, policyOf(tid)),
    ]),
    ...Object.keys(iothreads).map((id) => pair(`iothread ${id}`, Promise.resolve("present"))),
    ...Object.entries(polling).map(([id, time]) => pair(`iothread-set ${id}`, Promise.resolve(`poll-max-ns=${time}`))),
    ...Object.entries(vcpus).map(([vcpu, tid]) => pair(`vcpu-sched ${vcpu}`, policyOf(tid))),
    ...(vhost === undefined ? [] : [pair("vhost-pin", maskOf(vhost))]),
    pair("emulator-sched", policyOf(main)),
  ]);
  return Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : 1)));
}

async function pair(label: string, value: Promise<string>): Promise<readonly [string, string]> {
  return [label, await value];
}

/** The 41st field of its line, where the second one may have blanks in its parentheses. */
export async function policyOf(tid: number): Promise<string> {
  const line = await readFile(`/proc/${tid}/stat`, "utf8").catch(() => "");
  const policy = /\) (?:\S+ ){38}(\d+)/.exec(line)?.[1] ?? "gone";
  return ({ 0: "other", 3: "batch", 5: "idle" } as Readonly<Record<string, string>>)[policy] ?? policy;
}

/**
 * The mask and the policy of the main thread and of each worker, by its id: all threads of the process that are no
 * others. `spare`: those of a fake that may be others later.
 */
export async function lookAtWorkers(
  { main, vcpus, iothreads, vhost = 0 }: Tids,
  spare: readonly number[] = [],
): Promise<Readonly<Record<string, string>>> {
  const others = new Set([...Object.values(vcpus), ...Object.values(iothreads), vhost, ...spare].map(String));
  const tids = (await readdir(`/proc/${main}/task`)).filter((tid) => !others.has(tid));
  const found = await Promise.all(tids.map(async (tid) => [tid, `${await maskOf(Number(tid))} ${await policyOf(Number(tid))}`] as const));
  return Object.fromEntries(found.filter(([, seen]) => !seen.includes("gone")));
}
