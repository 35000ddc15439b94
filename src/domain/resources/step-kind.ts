import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** How one kind of step is described, done, waited for and turned back. */
export interface StepKind<S extends Step> {
  /** Its end is up to the guest: it is begun, and waited for when everything else is done. */
  readonly asksGuest: boolean;
  what(step: S): string;
  /** What goes to QEMU or to the host, as a person would type it. */
  sends(step: S, facts: Facts): string;
  /** What takes it back; undefined where nothing does, and `noUndo` says why. */
  undoing(step: S, facts: Facts): string | undefined;
  noUndo?(step: S): string | undefined;
  /** @throws when QEMU or the host says no */
  begin(step: S, work: Work): Promise<void>;
  /** Reads back until the state shows it, or the deadline passes. @throws when the guest says no */
  settle(step: S, work: Work): Promise<StepEnd>;
  /**
   * The steps that lead from the machine as it is now to how it was `before`; none where nothing came of the step.
   * A string says why there is no way back. `cause` is what the step failed with, if it did.
   */
  inverse(step: S, now: Live, before: Live, cause?: unknown): readonly Step[] | string;
  /** What can't be taken back of a step that was asked for and not done; null when nothing. */
  irrevocable?(step: S, now: Live, cause?: unknown): string | null;
}
