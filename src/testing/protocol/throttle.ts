import { isObject, type Json } from "../json/json-value.ts";

/** How long QEMU keeps an event back after one like it, in milliseconds. */
const INTERVAL = 1000;

/** The events that QEMU sends at most once a second, and the member of their data that makes two of them unlike each other. */
const THROTTLED: Readonly<Record<string, string | undefined>> = {
  RTC_CHANGE: undefined,
  BLOCK_IO_ERROR: "qom-path",
  WATCHDOG: undefined,
  BALLOON_CHANGE: undefined,
  QUORUM_REPORT_BAD: "node-name",
  QUORUM_FAILURE: undefined,
  VSERPORT_CHANGE: "id",
  MEMORY_DEVICE_SIZE_CHANGE: "qom-path",
  HV_BALLOON_STATUS_REPORT: undefined,
};

interface Kept {
  due: number;
  last: Json | undefined;
}

/**
 * QEMU's rate limit on a clock of its own, which only moves when told: the first event goes out at once, of those that follow within a
 * second the last one goes out when it is over. Pure, so that a test never waits.
 */
export class EventThrottle {
  readonly #kept = new Map<string, Kept>();
  #now = 0;

  /** An event happens; gives what goes out at once: it, or nothing. */
  take(event: string, data: Json | undefined, message: Json): readonly Json[] {
    if (!Object.hasOwn(THROTTLED, event) || neverKept(event, data)) return [message];
    const key = THROTTLED[event];
    const member = key !== undefined && isObject(data) ? data.get(key) : undefined;
    const like = `${event} ${typeof member === "string" ? member : ""}`;
    const kept = this.#kept.get(like);
    if (kept === undefined) {
      this.#kept.set(like, { due: this.#now + INTERVAL, last: undefined });
      return [message];
    }
    kept.last = message;
    return [];
  }

  /** Time passes; gives what goes out meanwhile, in order. */
  advance(milliseconds: number): readonly Json[] {
    const end = this.#now + milliseconds;
    const out: Json[] = [];
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      const [like, kept] = next;
      this.#now = kept.due;
      if (kept.last === undefined) this.#kept.delete(like);
      else {
        out.push(kept.last);
        this.#kept.set(like, { due: kept.due + INTERVAL, last: undefined });
      }
    }
    this.#now = end;
    return out;
  }

  #next(end: number): readonly [string, Kept] | undefined {
    return [...this.#kept].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0];
  }
}

/** An I/O error that stopped the guest is never kept back: somebody has to act on it. */
function neverKept(event: string, data: Json | undefined): boolean {
  return event === "BLOCK_IO_ERROR" && isObject(data) && data.get("action") === "stop";
}
