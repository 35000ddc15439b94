import type { Deadline } from "../../deadline.ts";
import type { Live, LiveReader, Slot } from "../facts/live.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Progress } from "../model/change.ts";
import type { GuestRefusals } from "./guest-refusals.ts";

/** One thing to do to the live machine, of the kind that `kind` names. Data only: it can be printed, stored and inverted. */
export interface Step {
  readonly kind: string;
}

/** Whether a step is of this kind. */
export function isOf<S extends Step>(kind: S["kind"], step: Step): step is S {
  return step.kind === kind;
}

/** Set the balloon's target, in bytes of guest memory. */
export interface BalloonStep extends Step {
  readonly kind: "balloon";
  readonly target: number;
  /** The target that was asked for before: what undo goes back to. */
  readonly before: number;
  /** What the guest had when the plan was made. */
  readonly actual: number;
  /** DIMMs that leave with the same set: it is set only when they are gone. */
  readonly after?: readonly string[];
}

/** Plug the vCPUs of one free slot (one on x86, a core's worth on ppc64). */
export interface PlugStep extends Step {
  readonly kind: "plug";
  readonly slot: Slot;
  readonly id: string;
}

/** Ask the guest to let go of vCPUs: all are asked for at once, then all are waited for. */
export interface UnplugStep extends Step {
  readonly kind: "unplug";
  readonly slots: readonly { readonly slot: Slot; readonly device: string }[];
  /** vCPUs that the machine has before and is to have after. */
  readonly from: number;
  readonly to: number;
  /** Why plugging them back would endanger the machine; null where it is safe. */
  readonly noReturn: string | null;
}

/** Bind a vCPU's thread to CPUs of the host. */
export interface PinStep extends Step {
  readonly kind: "pin";
  readonly vcpu: number;
  readonly cpus: string;
  /** The mask before; null for a thread that the same plan brings to life. */
  readonly before: string | null;
  /** The kernel may give less than was asked for: true where "all CPUs" is meant, within what the process may use. */
  readonly allowSubset: boolean;
}

/** What the execution of steps works with. */
export interface Work {
  readonly monitor: Monitor;
  /** The facts the plan was made from. */
  readonly live: Live;
  /** What reads of the live machine what the steps are about. */
  readonly readers: readonly LiveReader[];
  readonly deadline: Deadline;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Called when a step has been asked for, and before its end is waited for. */
  readonly onBegun?: (() => Promise<void>) | undefined;
  /** What the guest has said of unplugs since before they were asked for. */
  readonly refusals?: GuestRefusals;
}

/** How a step ended, when it did not throw: `pending` means accepted by QEMU and not yet done by the guest. */
export interface StepEnd {
  readonly outcome: "done" | "pending";
  readonly reason?: string;
}
