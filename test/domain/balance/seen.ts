import { decide, type Decision } from "../../../src/domain/balance/decide.ts";
import { EMPTY, type History, noteTried, remember } from "../../../src/domain/balance/history.ts";
import type { Move } from "../../../src/domain/balance/move.ts";
import type { GuestObservation, HostObservation, Observation } from "../../../src/domain/balance/observation.ts";
import { type BalanceSettings, MIB, usualSettings } from "../../../src/domain/balance/settings.ts";

const GIB = 1024 * MIB;

/** A host of 16 GiB that has enough. */
export const ROOMY: HostObservation = { total: 16 * GIB, available: 12 * GIB, pressure: null, swapIn: null };

/** A guest, in MiB: what it has, and what its programs can get of that. */
export interface Has {
  readonly has: number;
  readonly available: number;
  readonly target?: number;
  readonly more?: Partial<GuestObservation>;
  readonly word?: Partial<NonNullable<GuestObservation["word"]>>;
}

/** Sees guests again and again, and decides. Time goes on by a round each time, unless told. */
export class Rounds {
  history: History = EMPTY;
  now = 0;
  readonly settings: BalanceSettings;

  constructor(settings: Partial<BalanceSettings> = {}) {
    this.settings = { ...usualSettings(ROOMY.total), ...settings };
  }

  /** What is decided when this is seen. Each guest has just said so. */
  see(guests: Readonly<Record<string, Has>>, host: Partial<HostObservation> = {}): Decision {
    this.now += this.settings.every;
    const seen: Observation = {
      now: this.now,
      host: { ...ROOMY, ...host },
      guests: Object.entries(guests).map(([name, has]) => this.#guest(name, has)),
    };
    this.history = remember(this.history, seen, this.settings);
    return decide(seen, this.history, this.settings);
  }

  /** The same, after the guests have been heard once: what QEMU has at the first look may be of any age. */
  heard(guests: Readonly<Record<string, Has>>, host: Partial<HostObservation> = {}): Decision {
    this.see(guests, host);
    return this.see(guests, host);
  }

  /** Notes moves as made. */
  made(moves: readonly Move[], failure: string | null = null): void {
    const tried = moves.map(({ name, to, kind, needy }) => ({ name, to, kind, needy, failure }));
    this.history = noteTried(this.history, tried, this.now, this.settings);
  }

  /** Lets time go by without a look. */
  wait(milliseconds: number): void {
    this.now += milliseconds;
  }

  #guest(name: string, { has, available, target = has, more, word }: Has): GuestObservation {
    return {
      ...{ name, state: "running", machine: 1, limits: { min: 256 * MIB, max: 4 * GIB }, resident: has * MIB, period: 5 },
      balloon: { actual: has * MIB, target: target * MIB, most: 4 * GIB },
      word: {
        ...{ at: this.now / 1000, available: available * MIB, swapIn: 0, swapOut: 0, majorFaults: 0, oomKills: null },
        ...word,
      },
      ...more,
    };
  }
}

/** Moves in MiB: `a: 1024 -> 1280`. */
export function told({ moves }: Decision): readonly string[] {
  return moves.map(({ name, from, to }) => `${name}: ${from / MIB} -> ${to / MIB}`);
}

/** Why a guest stays. */
export function whyStays({ stays }: Decision, name: string): string | undefined {
  return stays.find((stay) => stay.name === name)?.why;
}
