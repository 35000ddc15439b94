import { QmpctlError } from "../../errors.ts";
import type { Scope, Value } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import type { Change } from "../resources/registry.ts";

/** A change whose writer died in the middle, and how both halves stand now. */
export interface Interrupted {
  readonly domain: string;
  /** The process that made the change. */
  readonly writer: number;
  /** When it began; ISO 8601. */
  readonly since: string;
  readonly scope: Scope;
  /** Whether the QEMU of that change still runs. */
  readonly sameMachine: boolean;
  /** Whether the new config is in place already. */
  readonly committed: boolean;
  readonly changes: readonly InterruptedChange[];
}

/** One change of the set: what was wanted, what was before, what is now. */
export interface InterruptedChange {
  readonly change: Change;
  readonly wanted: Value;
  readonly before: { readonly config: Value; readonly live: Value };
  readonly now: { readonly config: Value; readonly live: Value };
}

/**
 * A change is refused because another one was interrupted and has to be resolved first. `interrupted` says how things stand, `how` says it
 * in words.
 */
export class InterruptedError extends QmpctlError {
  readonly interrupted: Interrupted;

  constructor(interrupted: Interrupted, how: string) {
    const { domain } = interrupted;
    super("refused", `${domain}: ${how}; resolve it first: qmpctl recover ${shellWord(domain)} --finish, or --undo, or --forget`);
    this.interrupted = interrupted;
  }
}
