import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import type { MachineNotes } from "../facts/notes.ts";
import type { StepReport } from "../model/change.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** How a step ended, and with what. */
export interface Ended<S extends Step> {
  readonly step: S;
  readonly outcome: StepReport["outcome"];
  /** What was thrown, where it failed. */
  readonly cause?: unknown;
  /** The steps that were sent to take it back; empty where nothing had come of it. */
  readonly back?: readonly Step[];
}

/** How one kind of step is described, done, waited for and turned back. */
export interface StepKind<S extends Step> {
  readonly kind: S["kind"];
  /** Its place in the order of a plan: steps of small numbers are begun first. */
  readonly rank: number;
  /** Its end is up to the guest: it is begun, and waited for when everything else is done. */
  readonly asksGuest: boolean;
  /**
   * It can't be taken back, or takes away what others need for their way back: it is begun when all else of the set is done, the guest's
   * part too.
   */
  readonly isLast?: true;
  what(step: S): string;
  /** What goes to QEMU or to the host, as a person would type it. */
  sends(step: S, facts: Facts): string;
  /** What takes it back; undefined where nothing does, and `noUndo` says why. */
  undoing(step: S, facts: Facts): string | undefined;
  noUndo?(step: S): string | undefined;
  /** @throws when QEMU or the host says no */
  begin(step: S, work: Work): Promise<void>;
  /** Does it to a machine that does not run, and reads it back. @throws when that fails */
  beginOff?(step: S, options: { readonly signal: AbortSignal | undefined }): Promise<void>;
  /** Reads back until the state shows it, or the deadline passes. @throws when the guest says no */
  readBack(step: S, work: Work): Promise<StepEnd>;
  /**
   * The steps that lead from the machine as it is now to how it was `before`; none where nothing came of the step.
   * A string says why there is no way back. `cause` is what the step failed with, if it did.
   */
  inverse(step: S, now: Live, before: Live, cause?: unknown): readonly Step[] | string;
  /** What can't be taken back of a step that was asked for and not done; null when nothing. */
  irrevocable?(step: S, now: Live, cause?: unknown): string | null;
  /** vCPUs whose threads it brings to life, by their numbers, and iothreads by their ids. */
  brings?(step: S): readonly (number | string)[];
  /** Why this step must not be done on the way back as the machine is now; null where it may. Asks the guest, where it has to. */
  hazard?(step: S, now: Live, work: Work): Promise<string | null>;
  /** Of a step on the way back that is `pending`: whether it will still be done without us, so that nothing stands in the way. */
  goesOn?(now: Live): boolean;
  /** What the machine has been asked for after this step, where QEMU can't be asked for it. */
  notedAfter?(asked: MachineNotes, ended: Ended<S>): MachineNotes;
  /** Whether the change that it belongs to can't be taken back after this end, by no command. */
  hasNoWayBack?(step: S, outcome: StepReport["outcome"]): boolean;
  /** What the caller ought to know of what this step means later. `live` is the machine as it is now, `name` the domain's. */
  remarks?(step: S, outcome: StepReport["outcome"], live: Live | null, name: string): readonly string[];
}
