import type { LaunchConfig } from "../../config/launch.ts";
import type { CpuSet } from "../../host/cpulist.ts";
import type { DomainState } from "../model/change.ts";
import type { GuestNeed } from "./guest-need.ts";
import type { ScheduledThread } from "./live-thread.ts";
import type { Live } from "./live.ts";
import type { MachineNotes } from "./notes.ts";

/** What is known when a plan is made. All of it was read before: planning does no I/O. */
export interface Facts {
  readonly state: DomainState;
  /** Why the machine is `unreachable`; if it is stopped, what stands in the way of a start. */
  readonly why?: string;
  /** Null for a transient domain. */
  readonly config: LaunchConfig | null;
  /** The path of a transient domain's config: it was addressed by its monitor, and its mark names a config that has its id. */
  readonly ownConfig?: string;
  /** Null if the machine does not run, or does not answer. */
  readonly live: Live | null;
  /** What was asked of this machine earlier and may not be done yet. */
  readonly asked: MachineNotes;
  /** The CPUs of this host. */
  readonly online: CpuSet;
  readonly present: CpuSet;
  /** What the guest said when it was asked for this change; absent if it was not asked. */
  readonly need?: GuestNeed;
}

/** Facts of a machine that runs. */
export type LiveFacts = Facts & {
  readonly live: Live;
  /** vCPUs that another change of the same set plugs, by their numbers, and iothreads that it adds, by their ids. */
  readonly beingPlugged?: ReadonlySet<number | string>;
  /** What QEMU's own threads, and those of its vhost devices, had before a change that is taken back now. */
  readonly threadsBefore?: readonly ScheduledThread[];
  /** How many bytes of DIMMs the set adds, less those that it takes away. */
  readonly dimmsToCome?: number;
  /** The ids of those that it takes away. */
  readonly dimmsToGo?: readonly string[];
};
