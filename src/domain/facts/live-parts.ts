import type { MemoryBackend } from "../../config/memory-backend.ts";
import type { LiveCpuGroup } from "./cgroup.ts";
import type { DevicePart } from "./device-parts.ts";
import type { LiveDisk } from "./disk-parts.ts";
import type { GuestWord } from "./guest-half.ts";
import type { HostPart } from "./host-part.ts";
import type { LiveIothread, LiveScheduling, LiveThread, ScheduledThread } from "./live-thread.ts";
import type { MemoryRoom } from "./memory-devices.ts";

/** What only some resources need to know of a running machine: absent where nobody asked for it. Each part has its reader. */
export interface LiveParts extends HostPart, DevicePart {
  /** What the guest itself says, if the config names its agent. */
  readonly guest?: GuestWord;
  /** Its iothreads, in the order of their ids. */
  readonly iothreads?: readonly LiveIothread[];
  /** The threads that serve its vhost devices; null if they can't be seen from here. */
  readonly vhost?: readonly LiveThread[] | null;
  /** Its disks and drives. */
  readonly disks?: readonly LiveDisk[];
  /** QEMU's own threads, the main thread first; empty if they are not on this host. */
  readonly ownThreads?: readonly ScheduledThread[];
  readonly scheduling?: LiveScheduling;
  /** The memory backends, by their ids: of which type each is. */
  readonly memoryBackends?: ReadonlyMap<string, string>;
  /** What each DIMM's memory comes from, by the ids of the backends; a text says why that could not be made again. */
  readonly dimmBackends?: ReadonlyMap<string, MemoryBackend | string>;
  /** What there is room for; absent if that can't be seen from here. */
  readonly memoryRoom?: MemoryRoom;
  /** Whether a driver in the guest works each virtio-mem device that does not give what it was asked for; null: that can't be seen. */
  readonly virtioMemDrivers?: ReadonlyMap<string, boolean | null>;
  /** How often QEMU asks the guest for its figures of memory, in seconds of its running time, 0 for never; absent without a balloon. */
  readonly period?: number;
  /** The control group that shares CPU time out to QEMU. */
  readonly cpuGroup?: LiveCpuGroup;
}
