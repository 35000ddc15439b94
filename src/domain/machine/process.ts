import { listenersOnTcp, listenersOnUnix } from "../../host/listeners.ts";
import { processOf } from "../../host/threads.ts";
import { isLoopback, parseTarget } from "../../wire/address.ts";

/** The QEMU process behind a monitor, if it runs on this host and that is certain. */
export interface Behind {
  readonly pid: number | null;
  /** Why it is not certain; null if it is. */
  readonly why: string | null;
}

/**
 * Finds the process that the vCPU threads belong to, and makes sure that it is the one behind the monitor. Thread ids are reused, and a
 * monitor may be a tunnel to another host, where the same numbers belong to other threads. `known` is the pid of a QEMU that we started.
 */
export async function processBehind(address: string, tids: readonly number[], known: number | null): Promise<Behind> {
  const owners = new Set(await Promise.all(tids.map(processOf)));
  const [owner] = owners;
  if (owners.size === 0) return { pid: known, why: null };
  if (owners.size > 1 || owner === undefined)
    return { pid: known, why: `the vCPU threads (${tids.join(", ")}) are not threads of one process on this host` };
  if (known !== null)
    return known === owner
      ? { pid: owner, why: null }
      : { pid: known, why: `vCPU thread ${tids[0]} belongs to process ${owner}, not to QEMU's ${known}` };
  return (await listeners(address)).includes(owner)
    ? { pid: owner, why: null }
    : { pid: null, why: `process ${owner}, which has thread ${tids[0]}, is not the one that listens on ${address}` };
}

async function listeners(address: string): Promise<readonly number[]> {
  const parsed = parseTarget(address);
  if (parsed.kind === "unix") return listenersOnUnix(parsed.path);
  if (parsed.kind === "tcp" && isLoopback(parsed.host)) return listenersOnTcp(parsed.port);
  // Behind a program, or on another host: its thread ids belong to other threads here.
  return [];
}
