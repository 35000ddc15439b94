import { type Random, randomFrom } from "./random.ts";

/** Everything here is in MiB and seconds. */
export interface WorldOptions {
  readonly seed: number;
  readonly guests: number;
  readonly workload: Workload;
  /** The host's RAM, as a part of what all working sets together take on average. */
  readonly room?: number;
}

/**
 * `steady`: each as it is, with noise. `tides`: halves of the guests are busy in turn. `spikes`: each bursts now and then. `herd`: many at
 * once.
 */
export type Workload = "steady" | "tides" | "spikes" | "herd";

/** How a guest is made: sizes, and what it needs at a time. */
interface Nature {
  readonly most: number;
  readonly min: number;
  readonly base: number;
  readonly cache: number;
  readonly phase: number;
  readonly bursts: readonly { readonly from: number; readonly to: number; readonly extra: number }[];
  readonly slow: boolean;
}

/** A guest as it is now. */
export interface WorldGuest {
  readonly name: string;
  readonly most: number;
  readonly min: number;
  /** What it can't do without. */
  need: number;
  actual: number;
  target: number;
  /** What it has ever touched of what it has: the host's part of it. */
  resident: number;
  cache: number;
  swappedIn: number;
  faults: number;
  /** What it said last. */
  word: { readonly at: number; readonly available: number; readonly free: number; readonly swapIn: number; readonly faults: number };
}

/** What the balloon takes from a guest in a second, if that is unused; less if the guest has to look for it. It gives back at once. */
const INFLATES = 256;
const SLOWLY = 32;
const DEFLATES = 1024;
/** How fast a working set grows. */
const RAMP = 64;
/** What a guest reads from swap in a second when it is below its need. */
const SWAPS = 40;
const CACHES = 48;
const PERIOD = 5;
/** The host's own programs, of its RAM. */
const OWN = 0.04;

/** A host with many guests whose working sets change: the same for each seed. */
export class World {
  readonly guests: readonly WorldGuest[];
  readonly total: number;
  now = 0;
  readonly #natures: readonly Nature[];
  readonly #options: WorldOptions;
  readonly #random: Random;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#natures = Array.from({ length: options.guests }, () => this.#nature());
    const mean = this.#natures.reduce((sum, nature) => sum + meanOf(nature, options.workload), 0);
    this.total = Math.round((mean * (options.room ?? 1.5)) / (1 - OWN));
    // It starts as an administrator would: what each has is a fair part of the host.
    const part = Math.min(1, (this.total * 0.7) / this.#natures.reduce((sum, { most }) => sum + most, 0));
    this.guests = this.#natures.map(({ most, min, base }, index) => {
      const actual = Math.max(min, Math.round(most * part), Math.round(base * 1.1));
      const word = { at: 0, available: actual - base, free: actual - base, swapIn: 0, faults: 0 };
      return { name: `g${index}`, most, min, need: base, actual, target: actual, resident: base, cache: 0, swappedIn: 0, faults: 0, word };
    });
  }

  /** What all of QEMU and the host's own programs have in RAM. */
  get used(): number {
    return this.total * OWN + this.guests.reduce((sum, { resident }) => sum + resident, 0);
  }

  get available(): number {
    return Math.max(0, this.total - this.used);
  }

  /** One second goes by. */
  tick(): void {
    this.now += 1;
    this.guests.forEach((guest, index) => {
      const nature = this.#natures[index] as Nature;
      const wanted = this.#wanted(nature);
      guest.need = wanted > guest.need ? Math.min(wanted, guest.need + RAMP) : Math.max(wanted, guest.need - 2 * RAMP);
      moveBalloon(guest, nature.slow ? SLOWLY : INFLATES);
      live(guest, nature.cache);
      if ((this.now + index) % PERIOD === 0) guest.word = wordOf(guest, this.now);
    });
  }

  #nature(): Nature {
    const random = this.#random;
    const most = random.pick([1024, 2048, 4096, 8192]);
    const base = Math.round((most * (12 + random.below(24))) / 100);
    const bursts = [];
    for (let from = random.below(600); from < 7200; from += 300 + random.below(1500)) {
      const to = from + 40 + random.below(260);
      bursts.push({ from, to, extra: Math.round((most * (10 + random.below(45))) / 100) });
    }
    return {
      ...{ most, base, min: Math.max(128, Math.round(most / 16)), cache: Math.round((most * random.below(40)) / 100) },
      ...{ phase: random.below(2), bursts, slow: random.below(20) === 0 },
    };
  }

  #wanted({ most, base, phase, bursts }: Nature): number {
    const noise = this.#random.below(Math.max(1, Math.round(most / 100)));
    const more = (): number => {
      switch (this.#options.workload) {
        case "steady":
          return 0;
        case "tides":
          return Math.floor(this.now / 900) % 2 === phase ? base * 1.2 : 0;
        case "spikes":
          return bursts.find(({ from, to }) => this.now >= from && this.now < to)?.extra ?? 0;
        case "herd":
          return phase === 1 && this.now % 1200 > 600 && this.now % 1200 < 900 ? base * 1.4 : 0;
      }
    };
    return Math.min(most * 0.92, base + more() + noise);
  }
}

function meanOf({ base, bursts }: Nature, workload: Workload): number {
  const burst = bursts.reduce((sum, { from, to, extra }) => sum + (extra * (to - from)) / 7200, 0);
  return base + { steady: 0, tides: base * 0.6, spikes: burst, herd: base * 0.35 }[workload];
}

/** A guest gives what is unused at once, then its caches, and hardly anything of its working set. */
function moveBalloon(guest: WorldGuest, inflates: number): void {
  if (guest.target > guest.actual) guest.actual = Math.min(guest.target, guest.actual + DEFLATES);
  else if (guest.target < guest.actual) {
    const spare = guest.actual - guest.need;
    const rate = spare > inflates ? inflates : spare > 0 ? Math.min(spare, SLOWLY) : 4;
    guest.actual = Math.max(guest.target, guest.actual - rate);
  }
}

function live(guest: WorldGuest, appetite: number): void {
  const short = Math.max(0, guest.need - guest.actual);
  guest.swappedIn += Math.min(short, SWAPS);
  guest.faults += short > 0 ? 1000 : 0;
  guest.cache = Math.max(0, Math.min(appetite, guest.cache + CACHES, guest.actual - guest.need));
  guest.resident = Math.min(guest.actual, Math.max(guest.resident, Math.min(guest.need, guest.actual) + guest.cache));
}

function wordOf({ actual, need, cache, swappedIn, faults }: WorldGuest, at: number): WorldGuest["word"] {
  const available = Math.max(Math.min(8, actual), actual - need);
  return { at, available, free: Math.max(4, actual - need - cache), swapIn: swappedIn, faults };
}
