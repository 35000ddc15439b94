import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openFolder } from "../../config/runtime.ts";
import { UsageError } from "../../errors.ts";
import { memoryOfHost } from "../../host/host-memory.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import { domainFolders } from "../machine/place.ts";
import type { Balanced } from "./balanced.ts";
import { decide, type Decision } from "./decide.ts";
import { EMPTY, type History, noteTried, remember, type Tried } from "./history.ts";
import { type HostBefore, look } from "./look.ts";
import type { Move } from "./move.ts";
import type { GuestObservation, Observation } from "./observation.ts";
import { Polling } from "./polling.ts";
import { type BalanceMove, make } from "./round.ts";
import { type BalanceSettings, usualSettings } from "./settings.ts";
import type { BalanceOptions, BalanceRound } from "./shapes.ts";

/** How long is waited before the first round for words of the guests that are known to be new, in milliseconds. */
const FIRST_WORD = 8000;
/** How often it is looked for one meanwhile. */
const LISTENS = 250;
const CHANGE_TIMEOUT = 5000;
const LEAST_EVERY = 1000;

/** See `balance`. @throws as that does */
export async function* roundsOf(
  domains: readonly Balanced[] | (() => Promise<readonly Balanced[]>),
  options: BalanceOptions,
): AsyncGenerator<BalanceRound, void, undefined> {
  const settings = settingsOf(options);
  const lock = options.dryRun === true ? null : await lockBalance(options);
  const balancer = new Balancer(settings, options);
  try {
    for (;;) {
      const begun = performance.now();
      const round = await balancer.round(typeof domains === "function" ? await domains() : domains).catch((error: unknown) => {
        if (isAborted(options.signal)) return null;
        throw error;
      });
      if (round !== null) yield round;
      if (options.once === true) break;
      await wait(Math.max(0, begun + settings.every - performance.now()), undefined, { signal: options.signal }).catch(() => undefined);
      if (isAborted(options.signal)) break;
    }
    const last = await balancer.end();
    if (last !== null) yield last;
  } finally {
    await balancer.end();
    await lock?.release();
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** @throws UsageError for settings that can't be */
function settingsOf({ every, keepFree, atMost, handsOff }: BalanceOptions): BalanceSettings {
  const total = memoryOfHost()?.total ?? 0;
  const usual = usualSettings(total);
  const settings = {
    ...usual,
    every: every ?? usual.every,
    keepFree: keepFree ?? usual.keepFree,
    handsOff: handsOff ?? usual.handsOff,
    atMost,
  };
  if (settings.every < LEAST_EVERY)
    throw new UsageError(`every ${settings.every} ms: guests say what they use once a second at most`, {
      value: settings.every,
      expected: "1 s or more",
    });
  if (total > 0 && settings.keepFree >= total)
    throw new UsageError(`keep free ${settings.keepFree}: the host has only ${total} bytes in all`, {
      value: settings.keepFree,
      expected: "less than the host has",
    });
  return settings;
}

/** Two that balance the same machines would undo each other's work. @throws LockedError, which names its holder */
async function lockBalance(options: BalanceOptions): Promise<Lock> {
  const { state } = domainFolders(options);
  await openFolder(state);
  return acquireLock(join(state, "balance.lock"), { timeout: 0 });
}

class Balancer {
  readonly #settings: BalanceSettings;
  readonly #options: BalanceOptions;
  readonly #polling = new Polling();
  #history: History = EMPTY;
  #host: HostBefore | null = null;
  #seen: Observation | null = null;
  #decided: Decision | null = null;
  #isEnded = false;

  constructor(settings: BalanceSettings, options: BalanceOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** @throws the signal's reason; HostError */
  async round(domains: readonly Balanced[]): Promise<BalanceRound> {
    const { signal, dryRun, timeout = CHANGE_TIMEOUT } = this.#options;
    const isFirst = this.#seen === null;
    let seen = await this.#look(domains);
    const notes = dryRun === true ? [] : await this.#polling.turnOn(domains, seen, this.#settings.every, signal);
    if (isFirst) seen = await this.#listen(domains, seen);
    const decision = decide(seen, this.#history, this.#settings);
    this.#decided = decision;
    const moves = dryRun === true ? decision.moves.map(planned) : await make(decision.moves, domains, { timeout, signal });
    if (dryRun !== true) this.#history = noteTried(this.#history, moves.flatMap(triedOf), performance.now(), this.#settings);
    return { ...this.#head(seen, decision), moves, stays: decision.stays.map(({ name, ...stay }) => ({ domain: name, ...stay })), notes };
  }

  /** Puts back what was set. Null where there was nothing. May be called again. */
  async end(): Promise<BalanceRound | null> {
    if (this.#isEnded) return null;
    this.#isEnded = true;
    const notes = await this.#polling.putBack();
    const [seen, decided] = [this.#seen, this.#decided];
    return notes.length === 0 || seen === null || decided === null
      ? null
      : { ...this.#head(seen, decided), moves: [], stays: [], notes, ended: true };
  }

  async #look(domains: readonly Balanced[]): Promise<Observation> {
    const { seen: now, host } = await look(domains, this.#host, this.#options.signal);
    const seen = { ...now, guests: now.guests.map((guest) => (guest.balloon === null ? this.#asBefore(guest) : guest)) };
    this.#host = host;
    this.#seen = seen;
    this.#history = remember(this.#history, seen, this.#settings);
    return seen;
  }

  /** One that does not answer any more has what it had. */
  #asBefore(guest: GuestObservation): GuestObservation {
    const before = this.#seen?.guests.find(({ name }) => name === guest.name);
    if (guest.state !== "unreachable" || before === undefined) return guest;
    return { ...guest, balloon: before.balloon, resident: before.resident };
  }

  /** QEMU keeps what a guest said last, of whatever age. So those that will say something are listened to until each has. */
  async #listen(domains: readonly Balanced[], first: Observation): Promise<Observation> {
    const { signal } = this.#options;
    let seen = first;
    const until = first.now + FIRST_WORD;
    const isSilent = ({ name, state, period, limits }: Observation["guests"][number]): boolean =>
      state === "running" && limits?.min != null && period !== null && period > 0 && this.#history.guests.get(name)?.heardAt === null;
    while (performance.now() < until && seen.guests.some(isSilent)) {
      await wait(LISTENS, undefined, { signal });
      seen = await this.#look(domains);
    }
    return seen;
  }

  #head({ host: { total, available } }: Observation, { budget }: Decision): Pick<BalanceRound, "at" | "host"> {
    const free = Math.round(budget.free);
    return { at: new Date().toISOString(), host: { total, available, free, pressed: this.#history.hostPressed } };
  }
}

function planned({ name, kind, from, to, needy, why }: Move): BalanceMove {
  return { domain: name, kind, from, to, actual: null, outcome: "planned", needy, why };
}

const MADE: ReadonlySet<BalanceMove["outcome"]> = new Set(["applied", "pending", "unchanged"]);

function triedOf({ domain, kind, to, needy, outcome, failure, report }: BalanceMove): readonly Tried[] {
  // Somebody else was quicker: the next look shows it.
  if (outcome === "unchanged" && report?.changes.length === 0) return [];
  if (outcome === "interrupted") return [];
  return [{ name: domain, kind, to, needy, failure: MADE.has(outcome) ? null : (failure ?? outcome) }];
}
