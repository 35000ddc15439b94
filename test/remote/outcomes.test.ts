import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Report } from "../../src/domain/change/change-report.ts";
import type { ChangeOptions } from "../../src/domain/model/change.ts";
import { acquireLock } from "../../src/host/lock.ts";
import { Caller } from "../../src/remote/caller.ts";
import { LostError, UnreachableError } from "../../src/remote/errors.ts";
import { keepLast, readKept, writeKept } from "../../src/remote/kept.ts";
import { Outcomes } from "../../src/remote/outcomes.ts";
import { remoteFacade } from "../../src/remote/remote-host.ts";
import { connectEnds } from "./ends.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "qmpctl-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const KEY = "0123456789";
const report = { domain: "web1", outcome: "applied", changes: [] } as unknown as Report;
const change = { what: "change", domain: "web1", args: [[{ resource: "memory", size: 4096 }]], writes: true };
const begun = { digest: "d", domain: "web1", state: "begun", start: 1, patience: 2 };

/** From now on nothing new can be written beside this file, as on a full disk. */
function fill(path: string): void {
  mkdirSync(join(`${path}.new`, "in the way"), { recursive: true });
}

describe("how a call ended", () => {
  test("is kept in the room that was taken before it began, where there is no other", async () => {
    const path = join(folder, KEY);
    await writeKept(path, begun);
    fill(path);
    await keepLast(path, { ...begun, state: "done", value: report });
    expect(await readKept(path)).toEqual({ ...begun, state: "done", value: report });
  });

  test("is kept without what is too long for that room", async () => {
    const path = join(folder, KEY);
    await writeKept(path, begun);
    fill(path);
    const failure = { kind: "ChangeError", message: "no", code: "partial", evidence: { long: "x".repeat(100_000) } };
    await keepLast(path, { ...begun, state: "failed", failure });
    const short = { kind: "ChangeError", message: "no", code: "partial" };
    expect(await readKept(path)).toEqual({ ...begun, state: "failed", failure: short, isShort: true });
    await keepLast(path, { ...begun, state: "done", value: "x".repeat(100_000) });
    expect(await new Outcomes(folder).look("not-there-yet")).toEqual({ state: "unknown" });
    expect(await readKept(path)).toEqual({ ...begun, state: "done", isShort: true });
  });

  test("is never taken for a call that never began, if what is kept is damaged", async () => {
    mkdirSync(join(folder, "outcomes"));
    for (const text of ["", '{"digest":"d","dom', "[]", '{"digest":1}']) {
      writeFileSync(join(folder, "outcomes", KEY), text, { mode: 0o600 });
      expect(await new Outcomes(folder).look(KEY)).toMatchObject({ state: "interrupted" });
    }
  });

  test("is not waited for longer than it may take: it is under way", async () => {
    mkdirSync(join(folder, "outcomes"));
    const path = join(folder, "outcomes", KEY);
    await writeKept(path, { ...begun, start: Date.now() - 10_000, patience: 5000 });
    await using _ = await acquireLock(`${path}.lock`);
    expect(await new Outcomes(folder).look(KEY)).toEqual({ state: "under-way", domain: "web1" });
  });
});

describe("a call that never began", () => {
  const work = { key: KEY, domain: "web1", request: change, signal: new AbortController().signal, patience: 5000 };

  test("leaves nothing behind", async () => {
    const refused = new Outcomes(folder).once({ ...work, run: () => Promise.reject(new Error("refused")) });
    await expect(refused).rejects.toThrow("refused");
    expect(readdirSync(join(folder, "outcomes"))).toEqual([]);
  });

  test("is made by the next one with its key, and by no other", async () => {
    const outcomes = new Outcomes(folder);
    let made = 0;
    let tell: (refuse: () => void) => void;
    const asked = new Promise<() => void>((resolve) => (tell = resolve));
    const first = outcomes.once({ ...work, run: () => new Promise((_, reject) => tell(() => reject(new Error("refused")))) });
    const run = async (begun: () => Promise<void>): Promise<number> => {
      await begun();
      return ++made;
    };
    const refuse = await asked;
    const others = [outcomes.once({ ...work, run }), outcomes.once({ ...work, run })];
    refuse();
    await expect(first).rejects.toThrow("refused");
    others.push(outcomes.once({ ...work, run }));
    expect(await Promise.all(others)).toEqual([1, 1, 1]);
  });
});

test("a change that was made is told as made, whether its outcome can be kept or not", async () => {
  const work = async (_: unknown, { onBegun, onEnded }: ChangeOptions): Promise<Report> => {
    await onBegun?.();
    const path = join(folder, "outcomes", KEY);
    fill(path);
    rmSync(path);
    mkdirSync(path);
    await onEnded?.(report);
    return report;
  };
  await using ends = await connectEnds({ change: work }, folder);
  expect(await ends.link.call({ ...change, key: KEY })).toEqual(report);
});

test("the same key is not taken for another try of what was done, when only its report could not be kept", async () => {
  let ran = 0;
  const work = async (_: unknown, { onBegun, onEnded }: ChangeOptions): Promise<Report> => {
    ran++;
    await onBegun?.();
    fill(join(folder, "outcomes", KEY));
    await onEnded?.({ ...report, notes: ["x".repeat(100_000)] });
    return report;
  };
  await using ends = await connectEnds({ change: work }, folder);
  expect(await ends.link.call({ ...change, key: KEY })).toEqual(report);
  await expect(ends.link.call({ ...change, key: KEY })).rejects.toThrow("was done, and there was no room to keep its report");
  expect(ran).toBe(1);
  expect(JSON.parse(readFileSync(join(folder, "outcomes", KEY), "utf8"))).toMatchObject({ state: "done", isShort: true });
});

describe("a connection that is closed here", () => {
  test("is not made again, and what became of the change is not asked: it goes on there", async () => {
    let asked = 0;
    let tell: (end: () => void) => void;
    const begun = new Promise<() => void>((resolve) => (tell = resolve));
    const change = async (_: unknown, options?: ChangeOptions): Promise<Report> => {
      await options?.onBegun?.();
      return new Promise((resolve) => tell(() => resolve(report)));
    };
    await using ends = await connectEnds({ change }, folder);
    const caller = new Caller("kvm1", async () => (asked++, ends.link));
    const ended = caller.call({ what: "change", domain: "web1", args: [[{ resource: "memory", size: 4096 }]], writes: true });
    const told = ended.catch((reason: unknown) => reason);
    const end = await begun;
    await caller[Symbol.asyncDispose]();
    expect(await told).toMatchObject({
      key: expect.any(String) as string,
      message: expect.stringMatching(
        /^kvm1: the connection was closed here; if change of web1 had begun, it goes on there: qmpctl -H kvm1 outcome /,
      ) as string,
    });
    await expect(caller.call({ what: "info", domain: "web1" })).rejects.toThrow("kvm1: the connection was closed here");
    expect(asked).toBe(1);
    end();
  });
});

describe("a lost connection to a change", () => {
  /** A caller whose first connection is cut when the change is asked for, and whose second one leads to the same folder. */
  async function lostCaller(
    work: (cut: () => void, options: ChangeOptions) => Promise<Report>,
    boots: readonly [string, string] = ["b1", "b1"],
  ): Promise<{ readonly caller: Caller } & AsyncDisposable> {
    const first = await connectEnds({ change: async (_, options) => work(first.cut, options ?? {}) }, folder, { boot: boots[0] });
    const second = await connectEnds({}, folder, { boot: boots[1] });
    const links = [first.link, second.link];
    const caller = new Caller("kvm1", async () => {
      const link = links.shift();
      if (link === undefined) throw new Error("no more connections");
      return link;
    });
    return {
      caller,
      async [Symbol.asyncDispose]() {
        await second[Symbol.asyncDispose]();
        await first[Symbol.asyncDispose]();
      },
    };
  }

  /** As a change that waits for its lock, until it is given up. */
  const waits = async (cut: () => void, { signal }: ChangeOptions): Promise<Report> => {
    cut();
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
  };

  test("that never began says so, on a host that was not started anew meanwhile", async () => {
    await using lost = await lostCaller(waits);
    const error = await lost.caller.call(change).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ key: null, message: expect.stringContaining("never began, and nothing was touched") as string });
  });

  test("is not known of a host that was started anew, and keeps nothing", async () => {
    await using lost = await lostCaller(waits, ["b1", "b2"]);
    const error = await lost.caller.call(change).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LostError);
    expect(error).toMatchObject({ key: expect.any(String) as string });
    expect((error as Error).message).toMatch(/the host was started anew since, and what became of change of web1 is not known/);
  });

  test("is not known to a caller who was interrupted meanwhile: nobody took it back", async () => {
    const interrupt = new AbortController();
    await using lost = await lostCaller(async (cut, options) => {
      await options.onBegun?.();
      interrupt.abort(new Error("interrupted by SIGINT"));
      cut();
      return report;
    });
    const error = await lost.caller.call({ ...change, options: { signal: interrupt.signal } }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "LostError", message: expect.stringContaining("is not known") as string });
  });
});

test("a host that takes no more connections is tried for a while, with longer and longer pauses", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "hrtime"] });
  try {
    let tries = 0;
    const busy = new UnreachableError("kvm1", "throttled", "it takes no more connections now");
    const caller = new Caller("kvm1", () => Promise.reject((tries++, busy)));
    const link = caller.link().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(tries).toBeGreaterThan(6);
    await vi.advanceTimersByTimeAsync(6000);
    expect(await link).toBe(busy);
    expect(tries).toBeLessThan(25);
  } finally {
    vi.useRealTimers();
  }
});

test("the commands of a report that is asked for later are to be typed here", async () => {
  const work = async (_: unknown, { onBegun }: ChangeOptions): Promise<Report> => {
    await onBegun?.();
    return { ...report, finish: "qmpctl setmem web1 1GiB" } as Report;
  };
  await using ends = await connectEnds({ change: work }, folder);
  await ends.link.call({ ...change, key: KEY });
  const caller = new Caller("kvm1", async () => ends.link);
  expect(await remoteFacade(caller, "kvm1").outcome(KEY, {})).toMatchObject({
    state: "done",
    domain: "web1",
    value: { domain: "web1", finish: "qmpctl setmem ssh://kvm1/web1 1GiB" },
  });
});
