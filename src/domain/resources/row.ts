import type { LaunchConfig } from "../../config/launch.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Value } from "../model/change.ts";

/** One resource, side by side: what the config says, what QEMU says, what the guest says where it can be asked. */
export interface DiffRow {
  /** `memory`, `max-memory`, `vcpus`, `max-vcpus`, `vcpu-pin 0`. */
  readonly resource: string;
  readonly config: Value;
  readonly live: Value;
  readonly guest: Value;
  /** Why the sides differ; null when they agree, or there is only one. */
  readonly why: string | null;
  /** When a change with an end, which made live what it is, is taken back; ISO 8601, in UTC. Absent where nothing is. */
  readonly until?: string;
  /** What it then is again. */
  readonly then?: Value;
  /** What QEMU has in the host's RAM for it, in bytes; absent where that is not known, and of what takes no memory. */
  readonly host?: number;
  /** Of when the guest's word is, as `asked every 5 s`; absent where it has said nothing. */
  readonly guestAge?: string;
  /** Why nothing is known of the guest, which could be asked; absent where its word is there, or nobody can ask it. */
  readonly guestUnknown?: string;
}

/** What rows are made of. */
export type RowFacts = Facts;

/** Facts of a machine that runs and has a config. */
export type BothFacts = LiveFacts & { readonly config: LaunchConfig };

/** Why two sides differ that were equal once. */
export const ONE_SIDE = "changed on one side only";
/** Which verbs make the sides equal. */
export const TO_MAKE_EQUAL = "`revert` makes live equal the config, `persist` the config equal live";
/** Both in one. */
export const CHANGED: string = `${ONE_SIDE}: ${TO_MAKE_EQUAL}`;

/** Why the two sides of a value differ that QEMU fixes at its start. */
export function fixedAtStart(config: number | undefined, live: number | undefined): string | null {
  return config === undefined || live === undefined || config === live ? null : "waits for the next start";
}
