import type { CgroupMemory } from "../../host/cgroup-memory.ts";
import type { ProcessMemory } from "../../host/process-memory.ts";

/** What QEMU has of the host's memory, in bytes: for the guest's RAM, and for itself. */
export interface HostMemory extends ProcessMemory {
  /** Absent if QEMU shares its cgroup with other processes. */
  readonly cgroup?: CgroupMemory;
  /** The VFIO devices because of which QEMU frees nothing of what the guest gives up; absent if there are none. */
  readonly keepers?: readonly string[];
}

/** The host's part of a running machine. Both are absent if QEMU runs on another host. */
export interface HostPart {
  readonly host?: HostMemory;
  /** Why nothing is known of it, though QEMU runs on this host. */
  readonly hostDenied?: string;
}
