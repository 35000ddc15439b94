import { isObject, type Json } from "../json/json-value.ts";

/** How long QEMU holds an event back after a similar one, in milliseconds. */
const INTERVAL = 1000;

/** The events that QEMU sends at most once a second, and the member of their data by which two of them differ. */
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
 * QEMU's rate limit, on a clock of its own that moves only when told. The first event is sent at once. Of those that follow within a
 * second, the last one is sent when the second is over. It is pure, so that a test never waits.
 */
export class EventThrottle {
  readonly #kept = new Map<string, Kept>();
  #now = 0;

  /** Takes an event; returns what to send at once: the event, or nothing. */
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

  /** Moves the clock; returns what to send meanwhile, in order. */
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

/** An I/O error that stopped the guest is never held back: someone has to act on it. */
function neverKept(event: string, data: Json | undefined): boolean {
  return event === "BLOCK_IO_ERROR" && isObject(data) && data.get("action") === "stop";
}
