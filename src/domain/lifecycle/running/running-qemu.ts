import type { OtherKeeper } from "../../machine/running/keeper.ts";
import type { RunningMonitor } from "../../machine/running/monitors.ts";

export type { RunningMonitor } from "../../machine/running/monitors.ts";

/** A QEMU that runs on this host, whoever started it. */
export interface RunningQemu {
  readonly pid: number;
  /** The user that it runs as, by id and by name; null if no list knows that user. */
  readonly uid: number;
  readonly user: string | null;
  /** What its command line says: `-name` and `-uuid`. */
  readonly name: string | null;
  readonly uuid: string | null;
  /** Who manages it; null: nobody is seen to. */
  readonly keeper: "qmpctl" | OtherKeeper | null;
  /** What its keeper calls it; of a domain of ours whose config is in another folder, the path of its config. */
  readonly keptAs: string | null;
  /** What shows that. */
  readonly proofs: readonly string[];
  /**
   * False if only its command line says who manages it. It is not taken from anybody for that, because that could be two masters of one
   * machine.
   */
  readonly isSure: boolean;
  /** Its QMP monitors, as far as its command line, or what it listens on, shows them. */
  readonly monitors: readonly RunningMonitor[];
  /**
   * What can be done: it is a `domain` already; `adopt` it; adopt it only by `force`, because somebody else manages it; it is
   * `another-users`, and is that user's to adopt.
   */
  readonly can: "domain" | "adopt" | "force" | "another-users";
  /** The same for people: what to do, or why not. */
  readonly advice: string;
  /** Its program can't be seen: that it is a QEMU is what its command line says. */
  readonly programUnseen?: true;
}
