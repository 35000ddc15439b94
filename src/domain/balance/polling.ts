import { messageOf } from "../../errors.ts";
import type { Balanced } from "./balanced.ts";
import { eachOf } from "./each-of.ts";
import type { Observation } from "./observation.ts";

/** How long QEMU may take to ask more or less often, in milliseconds. */
const CHANGE = 5000;
const AT_ONCE = 16;

interface Turned {
  readonly domain: Balanced;
  readonly before: number;
  readonly now: number;
}

/** How often QEMU asks the guests, where that has to be more often while they are balanced. It is put back at the end. */
export class Polling {
  readonly #turned = new Map<string, Turned>();
  readonly #tried = new Set<string>();

  /** Has those asked often enough that are not, once each. Resolves with what was done, in words. @throws the signal's reason */
  async turnOn(
    domains: readonly Balanced[],
    seen: Observation,
    every: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly string[]> {
    const seconds = Math.max(1, Math.floor(every / 1000));
    const notes: string[] = [];
    await eachOf(domains, AT_ONCE, async (domain) => {
      const guest = seen.guests.find(({ name }) => name === domain.name);
      const period = guest?.period ?? 0;
      const isWanted = guest?.state === "running" && guest.balloon !== null && guest.limits?.min != null;
      if (!isWanted || (period !== 0 && period <= seconds) || this.#tried.has(domain.name)) return;
      this.#tried.add(domain.name);
      try {
        const { changes } = await domain.change({ resource: "memory-period", seconds }, { scope: "dynamic", timeout: CHANGE, signal });
        // Of a guest that has said nothing yet it was not known before.
        const before = Number(changes[0]?.dynamic.before ?? seconds);
        if (before === seconds) return;
        this.#turned.set(domain.name, { domain, before, now: seconds });
        notes.push(`${domain.name}: QEMU asks its guest every ${seconds} s meanwhile; before: ${wordsFor(before)}`);
      } catch (error) {
        signal?.throwIfAborted();
        notes.push(`${domain.name}: QEMU could not be told to ask its guest: ${messageOf(error)}`);
      }
    });
    return notes;
  }

  /** Puts it back as it was, unless somebody has changed it meanwhile. Resolves with what could not be. */
  async putBack(): Promise<readonly string[]> {
    const failures: string[] = [];
    await eachOf([...this.#turned.values()], AT_ONCE, async ({ domain, before, now }) => {
      try {
        const { guest, state } = await domain.memory({ glance: true, timeout: CHANGE });
        if (state === "stopped" || (guest !== null && guest.period !== now)) return;
        await domain.change({ resource: "memory-period", seconds: before }, { scope: "dynamic", timeout: CHANGE });
      } catch (error) {
        failures.push(`${domain.name}: how often QEMU asks its guest could not be put back to ${wordsFor(before)}: ${messageOf(error)}`);
      }
    });
    this.#turned.clear();
    return failures;
  }
}

function wordsFor(period: number): string {
  return period === 0 ? "never" : `every ${period} s`;
}
