import type { DomainOptions } from "../machine/place.ts";
import type { BalanceMove } from "./round.ts";

/** How domains are balanced. Sizes in bytes, times in milliseconds. */
export interface BalanceOptions extends Omit<DomainOptions, "timeout"> {
  /** From the beginning of one round to that of the next; 5000 by default, and a second at least. */
  readonly every?: number | undefined;
  /** One round, and no more. */
  readonly once?: boolean | undefined;
  /** Only say what would be moved: nothing is touched, not even how often QEMU asks the guests. */
  readonly dryRun?: boolean | undefined;
  /** What the host keeps; a tenth of its memory by default, 512 MiB at least and 16 GiB at most. */
  readonly keepFree?: number | undefined;
  /** The most that the domains have together; no limit besides the host's by default. */
  readonly atMost?: number | undefined;
  /** For how long a domain is left alone when somebody else has moved its memory; 600000 by default. */
  readonly handsOff?: number | undefined;
  /** How long each change may take; what is not done by then is `pending`, and goes on. 5000 by default. */
  readonly timeout?: number | undefined;
  /** Ends it: a change that is being made is finished or undone, and all is put back. */
  readonly signal?: AbortSignal | undefined;
}

/** What was seen and done in one round. */
export interface BalanceRound {
  /** When, by this host's clock; ISO 8601. */
  readonly at: string;
  readonly host: BalanceHost;
  readonly moves: readonly BalanceMove[];
  readonly stays: readonly BalanceStay[];
  /** What else was done or could not be: how often QEMU asks a guest. */
  readonly notes: readonly string[];
  /** The last one: what was set is put back, as far as `notes` does not say otherwise. */
  readonly ended?: true;
}

/** The host's memory, in bytes. */
export interface BalanceHost {
  readonly total: number;
  readonly available: number;
  /** What could be given away: below 0 if more was promised than there is. */
  readonly free: number;
  /** Its programs wait for memory, or it swaps. */
  readonly pressed: boolean;
}

/** A domain that was not moved. */
export interface BalanceStay {
  readonly domain: string;
  readonly why: string;
  /** It can't be balanced at all, as it is now. */
  readonly out: boolean;
  /** It is in need, and there is nothing to give. */
  readonly needy: boolean;
}
