import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Deadline } from "../../../src/deadline.ts";
import { eventsOf } from "../../../src/domain/machine/event-hints.ts";
import type { Monitor } from "../../../src/domain/machine/monitor.ts";
import { type Hint, type Hints, pollUntil } from "../../../src/domain/machine/poll-until.ts";

/** A connection that tells its events when the test says so. */
class FakeSession {
  readonly filters: unknown[] = [];
  listeners = 0;
  #wake: () => void = () => {};
  readonly #said: (Hint | Error)[] = [];

  say(event: Hint | Error): void {
    this.#said.push(event);
    this.#wake();
  }

  events(filter: unknown) {
    this.filters.push(filter);
    this.listeners++;
    const next = (): Promise<Hint> => this.#next();
    return {
      async *[Symbol.asyncIterator]() {
        for (;;) yield await next();
      },
      [Symbol.dispose]: () => void this.listeners--,
    };
  }

  async #next(): Promise<Hint> {
    if (this.#said.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const event = this.#said.shift();
    if (event instanceof Error || event === undefined) throw event;
    return event;
  }
}

function monitorOf(...sessions: readonly FakeSession[]): Monitor & { turn: number } {
  const monitor = {
    turn: 0,
    get session() {
      return sessions[this.turn];
    },
  };
  return monitor as unknown as Monitor & { turn: number };
}

/** A deadline that passes when the test has looked so often. */
function looks(count: number): Deadline & { readonly look: () => Promise<number> } {
  let seen = 0;
  return { timeout: count, elapsed: () => seen, left: () => Math.max(0, count - seen), look: async () => ++seen };
}

const never = { done: () => false };

function hintsOf(monitor: Monitor, onEvent?: (event: Hint) => void): Hints {
  return eventsOf(monitor, ["BALLOON_CHANGE"], onEvent);
}

// Time stands still, so that nothing but what the test does can wake it.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("waiting for a state", () => {
  test("looks once where it is so already, and where there is no time at all", async () => {
    const [now, late] = [looks(9), looks(1)];
    expect(await pollUntil({ ...never, look: now.look, done: () => true }, { by: now })).toEqual({
      seen: 1,
      done: true,
    });
    expect(await pollUntil({ ...never, look: late.look }, { by: late })).toEqual({ seen: 1, done: false });
  });

  test("looks again from time to time until the deadline, and gives what it saw last", async () => {
    const deadline = looks(5);
    const seen: number[] = [];
    const end = pollUntil({ ...never, look: deadline.look, onLook: (it) => void seen.push(it) }, { by: deadline });
    await vi.runAllTimersAsync();
    expect(await end).toEqual({ seen: 5, done: false });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test("looks again at once when an event hints at it, and passes the event on", async () => {
    const [session, deadline, heard] = [new FakeSession(), looks(9), [] as Hint[]];
    const end = pollUntil(
      { hints: hintsOf(monitorOf(session), (it) => void heard.push(it)), look: deadline.look, done: (it) => it === 2 },
      { by: deadline },
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(deadline.elapsed()).toBe(1);
    session.say({ event: "BALLOON_CHANGE" });
    expect(await end).toEqual({ seen: 2, done: true });
    expect(heard).toEqual([{ event: "BALLOON_CHANGE" }]);
  });

  test("listens for the hints only, and no longer than it waits", async () => {
    const [session, deadline] = [new FakeSession(), looks(1)];
    await pollUntil({ ...never, hints: hintsOf(monitorOf(session)), look: deadline.look }, { by: deadline });
    expect([session.filters, session.listeners]).toEqual([[["BALLOON_CHANGE"]], 0]);
  });

  test("goes on listening on the connection that comes after a broken one", async () => {
    const [broken, mended, deadline] = [new FakeSession(), new FakeSession(), looks(9)];
    const monitor = monitorOf(broken, mended);
    const end = pollUntil({ hints: hintsOf(monitor), look: deadline.look, done: (it) => it === 4 }, { by: deadline });
    await vi.advanceTimersByTimeAsync(0);
    monitor.turn = 1;
    broken.say(new Error("the connection broke"));
    await vi.advanceTimersByTimeAsync(0);
    mended.say({ event: "BALLOON_CHANGE" });
    await vi.advanceTimersByTimeAsync(0);
    mended.say({ event: "BALLOON_CHANGE" });
    expect(await end).toMatchObject({ done: true });
    expect([broken.listeners, mended.listeners]).toEqual([0, 0]);
  });

  test("is ended by an abort, with its reason, also in the middle of a pause", async () => {
    const [stop, deadline, session] = [new AbortController(), looks(9), new FakeSession()];
    const end = pollUntil({ ...never, hints: hintsOf(monitorOf(session)), look: deadline.look }, { by: deadline, signal: stop.signal });
    const told = expect(end).rejects.toThrow("ctrl-c");
    await vi.advanceTimersByTimeAsync(0);
    stop.abort(new Error("ctrl-c"));
    await told;
    expect([deadline.elapsed(), session.listeners]).toEqual([1, 0]);
  });

  test("does not begin a pause after an abort that came during a look", async () => {
    const stop = new AbortController();
    const look = async (): Promise<void> => stop.abort(new Error("ctrl-c"));
    await expect(pollUntil({ look, done: () => false }, { by: looks(9), signal: stop.signal })).rejects.toThrow("ctrl-c");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("pauses for as long as it is told, and no longer than there is time", async () => {
    // A spy on a fake timer would put the fake one back when the file is over, for all files that follow in this process.
    vi.useRealTimers();
    const seen: number[] = [];
    const by: Deadline = { timeout: 100, elapsed: () => 0, left: () => Math.max(0, 100 - seen.reduce((sum, pause) => sum + pause, 0)) };
    const waits = vi.spyOn(globalThis, "setTimeout").mockImplementation((act, time = 0) => {
      seen.push(time);
      queueMicrotask(act);
      return 0 as unknown as NodeJS.Timeout;
    });
    await pollUntil({ ...never, look: async () => 0, pauses: [10, 40] }, { by });
    waits.mockRestore();
    expect(seen).toEqual([10, 40, 40, 10]);
  });

  test("ends with what a look fails with, and stops listening", async () => {
    const session = new FakeSession();
    await expect(
      pollUntil({ ...never, hints: hintsOf(monitorOf(session)), look: () => Promise.reject(new Error("QEMU is gone")) }, { by: looks(9) }),
    ).rejects.toThrow("QEMU is gone");
    expect(session.listeners).toBe(0);
  });
});
