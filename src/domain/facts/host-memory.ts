import { cgroupMemoryOf } from "../../host/cgroup-memory.ts";
import { memoryOf } from "../../host/process-memory.ts";
import type { Session } from "../../qmp/session.ts";
import { keepersIn } from "./balloon-keepers.ts";
import type { HostPart } from "./host-part.ts";
import type { Live, LiveReader } from "./live.ts";

/** Reads what QEMU has of the host's memory, if its threads are on this host. */
export const readHostMemory: LiveReader = reader(false);

/** The same for who looks often: what takes the kernel a walk over all of QEMU's pages is left out. */
export const glanceAtHostMemory: LiveReader = reader(true);

function reader(glance: boolean): LiveReader {
  return (session, live) => read(session, live, glance);
}

async function read(session: Session, { pid, vcpus }: Live, glance: boolean): Promise<HostPart> {
  const memory = pid === null || vcpus[0] === undefined ? null : await memoryOf(pid, vcpus[0].tid, glance);
  if (pid === null || memory === null) return {};
  if (!("resident" in memory)) return { hostDenied: memory.denied };
  const [cgroup, keepers] = await Promise.all([
    cgroupMemoryOf(pid),
    // A device that reads and writes the guest's memory by itself has it pinned or locked.
    memory.locked + memory.pinned > 0 ? keepersIn(session) : [],
  ]);
  return { host: { ...memory, ...(cgroup === null ? {} : { cgroup }), ...(keepers.length > 0 ? { keepers } : {}) } };
}
