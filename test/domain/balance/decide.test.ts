import { describe, expect, test } from "vitest";
import { MIB } from "../../../src/domain/balance/settings.ts";
import { Rounds, told, whyStays } from "./seen.ts";

const GIB = 1024 * MIB;
/** The guests together have no more than they have: who gets something gets it of the others. */
const poolOf = (mib: number) => ({ atMost: mib * MIB });

describe("a guest in need", () => {
  test("gets all that it needs at once, where there is some", () => {
    const decision = new Rounds(poolOf(2500)).heard({ a: { has: 1024, available: 40 }, b: { has: 1024, available: 400 } });
    // It uses 984, and should be able to get a quarter of that besides, and more where nothing shows how much is missing.
    expect(told(decision)).toEqual(["a: 1024 -> 1230"]);
    expect(decision.moves[0]).toMatchObject({ kind: "grow", needy: true, why: "its programs can get only 40MiB more" });
  });

  test("that swaps, or kills programs, or reads its pages from disks, gets a half more, whatever it says is available", () => {
    const signs: readonly (readonly [string, Record<string, number>, RegExp])[] = [
      ["swaps", { swapIn: 100 * MIB }, /^it reads 200MiB from swap in 10 s$/],
      ["kills", { oomKills: 1 }, /kills programs/],
      ["reads", { majorFaults: 5000 }, /^1000 of its page faults a second read a disk$/],
    ];
    for (const [, word, why] of signs) {
      const rounds = new Rounds(poolOf(8192));
      rounds.see({ a: { has: 1024, available: 300, word: { oomKills: 0 } } });
      const decision = rounds.see({ a: { has: 1024, available: 300, word } });
      expect(told(decision)).toEqual(["a: 1024 -> 1205"]);
      expect(decision.moves[0]?.why).toMatch(why);
    }
  });

  test("never gets more than its memory.max, nor than the machine was started with", () => {
    const limits = { min: 256 * MIB, max: 1100 * MIB };
    expect(told(new Rounds(poolOf(8192)).heard({ a: { has: 1024, available: 10, more: { limits } } }))).toEqual(["a: 1024 -> 1100"]);
    const balloon = { actual: 1024 * MIB, target: 1024 * MIB, most: 1040 * MIB };
    expect(told(new Rounds(poolOf(8192)).heard({ a: { has: 1024, available: 10, more: { balloon } } }))).toEqual(["a: 1024 -> 1040"]);
  });

  test("below its memory.min comes first, and then one that swaps", () => {
    const guests = {
      low: { has: 1024, available: 20 },
      swaps: { has: 1024, available: 20 },
      least: { has: 200, available: 100 },
    };
    const rounds = new Rounds(poolOf(2248 + 100));
    rounds.see(guests);
    const decision = rounds.see({ ...guests, swaps: { ...guests.swaps, word: { swapIn: 500 * MIB } } });
    expect(told(decision)).toEqual(["least: 200 -> 256", "swaps: 1024 -> 1068"]);
    expect(whyStays(decision, "low")).toBe("its programs can get only 20MiB more, and nobody has memory to spare");
  });

  test("shares with others that are alike, by what each is short of", () => {
    const small = { has: 512, available: 10 };
    const decision = new Rounds(poolOf(512 + 2048 + 200)).heard({ small, large: { has: 2048, available: 40 } });
    const [first, second] = decision.moves.map(({ from, to }) => to - from) as [number, number];
    expect(first + second).toBeGreaterThan(190 * MIB);
    expect(second / first).toBeGreaterThan(2);
    expect(decision.moves[1]?.why).toMatch(/more, and there is no more to give of the \d+MiB that it needs$/);
  });
});

test("memory that was set with an end is neither taken nor added to before that, however badly it is needed", () => {
  const held = { until: "2026-11-27T07:00:00.000Z" };
  const why = /^has its memory by a change that ends at 2026-11-27 .*, and is left alone until then$/;
  const needy = { has: 1024, available: 0 };
  const giver = new Rounds(poolOf(3072)).heard({ needy, idle: { has: 2048, available: 1700, more: held } });
  expect(told(giver)).toEqual([]);
  expect(whyStays(giver, "idle")).toMatch(why);
  const poor = new Rounds(poolOf(3072)).heard({ needy: { ...needy, more: held }, idle: { has: 2048, available: 1700 } });
  expect(told(poor).filter((move) => move.startsWith("needy"))).toEqual([]);
  expect(whyStays(poor, "needy")).toMatch(why);
});

describe("a guest that has more than it needs", () => {
  test("gives to one in need, a step at a time, and the other waits for what it gives", () => {
    const decision = new Rounds(poolOf(3072)).heard({ needy: { has: 1024, available: 0 }, idle: { has: 2048, available: 1700 } });
    // A sixteenth of its 4 GiB.
    expect(told(decision)).toEqual(["idle: 2048 -> 1792", "needy: 1024 -> 1280"]);
    expect(decision.moves[1]).toMatchObject({ sure: 1024 * MIB, to: 1280 * MIB });
    expect(decision.moves[0]?.why).toMatch(/^others are short of 512MiB; its programs can get 1700MiB that they don't use$/);
  });

  test("keeps what it uses and half as much again as it should have besides, and never goes below memory.min", () => {
    const rounds = new Rounds(poolOf(2048));
    const decision = rounds.heard({ needy: { has: 1024, available: 0 }, idle: { has: 1024, available: 450 } });
    // It uses 574 MiB: 574 + 1.5 * 143.5.
    expect(told(decision)[0]).toBe("idle: 1024 -> 790");
    const limits = { min: 900 * MIB, max: 4 * GIB };
    expect(
      told(
        new Rounds(poolOf(2048)).heard({ needy: { has: 1024, available: 0 }, idle: { has: 1024, available: 450, more: { limits } } }),
      )[0],
    ).toBe("idle: 1024 -> 900");
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["swaps a little", { word: { swapIn: 5 } }, /^gives nothing: it swaps$/],
    ["writes to swap", { word: { swapOut: 5 } }, /^gives nothing: it swaps$/],
    ["has its memory locked", { more: { kept: "900MiB of it are locked" } }, /^gives nothing: the host would get nothing of it: 900MiB/],
    ["is on its way", { target: 1500 }, /^is on its way from 2048MiB to 1500MiB$/],
  ])("gives nothing if it %s", (_, more, why) => {
    const rounds = new Rounds(poolOf(3072));
    const guests = { needy: { has: 1024, available: 0 }, idle: { has: 2048, available: 1700 } };
    rounds.see({ ...guests, idle: { ...guests.idle, ...("target" in more ? more : {}) } });
    const decision = rounds.see({ ...guests, idle: { ...guests.idle, ...more } });
    expect(told(decision).filter((move) => move.startsWith("idle"))).toEqual([]);
    expect(whyStays(decision, "idle")).toMatch(why);
  });

  test("gives nothing for a minute after it was given some, and two after it was in need: no thrash", () => {
    const rounds = new Rounds(poolOf(3072));
    rounds.made(rounds.heard({ a: { has: 1024, available: 0 }, b: { has: 1024, available: 64 } }).moves.filter(({ name }) => name === "a"));
    const later = (at: number) => {
      rounds.now = at;
      const target = (rounds.history.guests.get("a")?.target ?? 0) / MIB;
      return rounds.see({ a: { has: target, available: target - 300 }, b: { has: 1024, available: 0 } });
    };
    expect(whyStays(later(40_000), "a")).toBe("gives nothing: it was given memory less than 60 s ago");
    expect(whyStays(later(90_000), "a")).toBe("gives nothing: it was in need less than 2 min ago");
    later(150_000);
    expect(told(later(155_000))[0]).toMatch(/^a: \d+ -> /);
  });

  test("that needed memory soon after it gave some is left alone for longer each time", () => {
    const rounds = new Rounds(poolOf(2048));
    rounds.made(rounds.heard({ a: { has: 1024, available: 900 }, b: { has: 1024, available: 0 } }).moves);
    const target = rounds.history.guests.get("a")?.target ?? 0;
    rounds.see({ a: { has: target / MIB, available: 5 } });
    rounds.made(rounds.see({ a: { has: target / MIB, available: 5 } }).moves);
    const { regrets, noDonorUntil } = rounds.history.guests.get("a") ?? {};
    expect({ regrets, rests: (noDonorUntil ?? 0) - rounds.now }).toEqual({ regrets: 1, rests: 120_000 });
  });
});

describe("the host comes first", () => {
  test("memory that was given and never touched counts as used: nothing is promised twice", () => {
    const untouched = { has: 3072, available: 2900, more: { resident: 200 * MIB } };
    const decision = new Rounds().heard({ a: untouched, b: untouched, c: { has: 1024, available: 0 } }, { available: 6 * GIB });
    expect(decision.budget.free).toBeLessThan(0);
    // The one in need gets what the others give up, and no more.
    expect(decision.moves.at(-1)).toMatchObject({ name: "c", sure: 1024 * MIB });
    expect(decision.moves.map(({ kind }) => kind)).toEqual(["shrink", "shrink", "grow"]);
  });

  test("with less than it is to keep, all that can give do, in larger steps", () => {
    const idle = { has: 2048, available: 1700 };
    const { moves } = new Rounds().heard({ a: idle, b: idle }, { available: GIB });
    expect(moves.map(({ from, to }) => (from - to) / MIB)).toEqual([512, 512]);
    expect(moves[0]?.why).toMatch(/^the host has less free than it is to keep/);
  });

  test("that waits for memory has some taken from those who can; a little waiting is usual, and ends the pressure when it ended", () => {
    const rounds = new Rounds(poolOf(4096 + 400));
    const idle = { a: { has: 2048, available: 1700 }, b: { has: 2048, available: 1700 } };
    rounds.heard(idle);
    const at = (some: number, full: number) => rounds.see(idle, { pressure: { some, full } }).moves.length > 0;
    expect([at(5, 2), at(12, 0), at(5, 0), at(0.5, 0.1), at(5, 2)]).toEqual([false, true, true, false, false]);
    expect(rounds.see(idle, { pressure: null, swapIn: 2 * MIB }).moves[0]?.why).toMatch(/^the host waits for memory/);
  });

  test("what nobody needs is given for caches, and not to one that has just given", () => {
    const rounds = new Rounds();
    const decision = rounds.heard({ a: { has: 1024, available: 400 } }, { available: 10 * GIB });
    expect(told(decision)).toEqual(["a: 1024 -> 4096"]);
    expect(decision.moves[0]).toMatchObject({ needy: false, why: expect.stringMatching(/^nobody needs it/) });
    rounds.made([{ ...decision.moves[0], kind: "shrink", name: "a", from: 0, to: 1024 * MIB, sure: 0, needy: false, why: "" }]);
    expect(told(rounds.see({ a: { has: 1024, available: 400 } }, { available: 10 * GIB }))).toEqual([]);
  });
});

describe("a guest is left alone", () => {
  test.each<[string, object, RegExp]>([
    ["that is paused", { state: "paused" }, /^is paused$/],
    ["that does not answer", { state: "unreachable", why: "it hangs" }, /^does not answer: it hangs$/],
    ["without a config", { limits: null }, /^has no config/],
    ["without memory.min", { limits: { min: null, max: GIB } }, /^its config has no memory.min/],
    ["without a balloon", { balloon: null }, /^has no balloon device$/],
    ["that nobody asks", { period: 0 }, /^has no statistics: QEMU does not ask/],
    ["without a driver", { word: null, why: "the guest has no driver" }, /^has no statistics: the guest has no driver$/],
  ])("%s", (_, more, why) => {
    const decision = new Rounds(poolOf(512)).heard({ a: { has: 1024, available: 0, more } });
    expect(decision).toMatchObject({ moves: [], stays: [{ name: "a", out: true, why: expect.stringMatching(why) }] });
  });

  test("whose figures may be of any age, or have not come for long", () => {
    const rounds = new Rounds();
    const silent = { a: { has: 1024, available: 0, word: { at: 7 } } };
    expect(whyStays(rounds.see(silent), "a")).toMatch(/may be of any age/);
    expect(whyStays(rounds.see(silent), "a")).toMatch(/may be of any age/);
    const spoken = { a: { has: 1024, available: 0, word: { at: 8 } } };
    expect(told(rounds.see(spoken))).toHaveLength(1);
    rounds.wait(20_000);
    expect(whyStays(rounds.see(spoken), "a")).toMatch(/^its statistics are 25 s old/);
  });

  test("that somebody else has moved, for as long as was said, and not one that was started anew", () => {
    const rounds = new Rounds({ ...poolOf(8192), handsOff: 60_000 });
    rounds.heard({ a: { has: 1024, available: 300 } });
    expect(whyStays(rounds.see({ a: { has: 600, available: 0 } }), "a")).toMatch(/^somebody else has moved its memory.* for 60 s$/);
    // What it was given counts, though nobody balances it.
    const free = (has: number) => rounds.see({ a: { has, available: 0 } }).budget.free / MIB;
    expect(free(600)).toBe(8192 - 600);
    rounds.wait(45_000);
    expect(whyStays(rounds.see({ a: { has: 600, available: 0 } }), "a")).toMatch(/^somebody else/);
    expect(told(rounds.see({ a: { has: 600, available: 0 } }))).toHaveLength(1);
    const again = { machine: 2 };
    expect(whyStays(rounds.see({ a: { has: 700, available: 10, more: again } }), "a")).toMatch(/of any age/);
    expect(told(rounds.see({ a: { has: 700, available: 10, more: again } }))).toHaveLength(1);
  });

  test("whose moves fail, for longer each time", () => {
    const rounds = new Rounds(poolOf(8192));
    const needy = { a: { has: 1024, available: 0 } };
    rounds.made(rounds.heard(needy).moves, "another writer has it");
    expect(whyStays(rounds.see(needy), "a")).toBe("the last try failed (another writer has it)");
    const until = rounds.history.guests.get("a")?.pause?.until ?? 0;
    rounds.now = until;
    rounds.made(rounds.see(needy).moves, "another writer has it");
    expect((rounds.history.guests.get("a")?.pause?.until ?? 0) - rounds.now).toBe(2 * (until - 10_000));
  });
});

test("a guest that can't give back what it was asked for is asked no more, and gives nothing for long", () => {
  const rounds = new Rounds(poolOf(2048));
  const stuck = { a: { has: 1000, target: 800, available: 100 } };
  rounds.heard(stuck);
  rounds.wait(30_000);
  const decision = rounds.see(stuck);
  expect(decision.moves).toMatchObject([
    { kind: "give-up", from: 800 * MIB, to: 1000 * MIB, why: "it has not come below 1000MiB for 40 s" },
  ]);
  rounds.made(decision.moves);
  const later = rounds.heard({ a: { has: 1000, available: 800 }, b: { has: 1024, available: 0 } });
  expect(whyStays(later, "a")).toMatch(/^gives nothing: it could not give back what it was asked for, and rests for 10 min more$/);
});

test("what a guest uses is not reckoned from figures of different moments", () => {
  const rounds = new Rounds(poolOf(2048));
  rounds.heard({ a: { has: 1024, available: 500 }, b: { has: 1024, available: 0 } });
  const uses = () => (rounds.history.guests.get("a")?.uses ?? 0) / MIB;
  expect(uses()).toBe(524);
  // The balloon took 200 MiB between two looks; whether the guest spoke before or after that, nobody knows.
  rounds.see({ a: { has: 824, available: 500 } });
  expect(uses()).toBe(524);
  rounds.see({ a: { has: 824, available: 300 } });
  expect(uses()).toBe(524);
  rounds.see({ a: { has: 824, available: 200 } });
  expect(uses()).toBe(624);
});
