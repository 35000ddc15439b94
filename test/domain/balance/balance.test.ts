import { mkdir } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { factsOf, liveOf } from "../../../scripts/lab/facts.ts";
import { balance } from "../../../src/domain/balance/balance.ts";
import type { Balanced } from "../../../src/domain/balance/balanced.ts";
import { MIB } from "../../../src/domain/balance/settings.ts";
import type { BalanceOptions, BalanceRound } from "../../../src/domain/balance/shapes.ts";
import type { WorkedOut } from "../../../src/domain/change/plan-asking.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { acquireLock } from "../../../src/host/lock.ts";
import { reportOf } from "../../cli/scene.ts";
import { ownFolders } from "../../config/folder.ts";

/** A machine that does what it is asked, and counts the seconds in which it is looked at. */
class Machine implements Balanced {
  readonly asked: string[] = [];
  has: number;
  period = 5;
  looks = 0;
  failure: Error | undefined;
  readonly name: string;
  readonly uses: number;

  constructor(name: string, { has, uses }: { readonly has: number; readonly uses: number }) {
    this.name = name;
    this.has = has;
    this.uses = uses;
  }

  readonly memory: Balanced["memory"] = async () => {
    this.looks += 1;
    return {
      ...{ name: this.name, state: "running", pid: 7, limits: { min: 64 * MIB, max: 1024 * MIB } },
      balloon: { actual: this.has * MIB, target: this.has * MIB, most: 1024 * MIB },
      guest: {
        figures: { "available-memory": Math.max(0, this.has - this.uses) * MIB },
        ...{ at: this.looks, age: "", period: this.period },
      },
    };
  };

  readonly change: Balanced["change"] = async (wanted) => {
    const facts = factsOf({ live: liveOf({ memory: { size: 1024 * MIB, actual: this.has * MIB, balloon: "/b", guest: null } }) });
    const [change] = typeof wanted === "function" ? (wanted as WorkedOut)(facts, "dynamic") : [wanted as Change];
    if (change === undefined) return reportOf({ outcome: "unchanged", changes: [] });
    if (this.failure !== undefined) throw this.failure;
    const skipped = { outcome: "skipped", before: null, wanted: null, actual: null } as const;
    const done = (before: number, actual: number) =>
      reportOf({
        outcome: "applied",
        changes: [{ change, static: skipped, dynamic: { outcome: "applied", before, wanted: actual, actual } }],
      });
    if (change.resource === "memory-period") {
      const before = this.period;
      this.period = change.seconds;
      this.asked.push(`period ${change.seconds}`);
      return done(before, change.seconds);
    }
    if (change.resource !== "memory") throw new Error(change.resource);
    const before = this.has;
    this.has = change.size / MIB;
    this.asked.push(`memory ${this.has}`);
    return done(before * MIB, change.size);
  };
}

async function folderOf(): Promise<BalanceOptions & { readonly stateDir: string }> {
  const { state } = await ownFolders();
  await mkdir(state, { mode: 0o700 });
  return { stateDir: state, once: true, atMost: 1024 * MIB, keepFree: 1 };
}

async function roundsOf(domains: readonly Balanced[], options: BalanceOptions): Promise<readonly BalanceRound[]> {
  const rounds: BalanceRound[] = [];
  for await (const round of balance(domains, options)) rounds.push(round);
  return rounds;
}

const pair = () => [new Machine("needy", { has: 512, uses: 500 }), new Machine("idle", { has: 512, uses: 100 })] as const;

test("one round takes of the idle, gives to the one in need what came, and says why", async () => {
  const [needy, idle] = pair();
  const [round] = await roundsOf([needy, idle], await folderOf());
  expect(round?.moves).toMatchObject([
    { domain: "idle", kind: "shrink", from: 512 * MIB, to: 448 * MIB, outcome: "applied", report: { outcome: "applied" } },
    { domain: "needy", kind: "grow", from: 512 * MIB, to: 576 * MIB, outcome: "applied", needy: true },
  ]);
  expect([needy.asked, idle.asked]).toEqual([["memory 576"], ["memory 448"]]);
  expect(round?.host.total).toBeGreaterThan(0);
});

test("a dry run touches nothing, takes no lock, and says which guests have no statistics", async () => {
  const [needy, idle] = pair();
  const options = await folderOf();
  const silent = new Machine("silent", { has: 512, uses: 0 });
  silent.period = 0;
  await using _ = await acquireLock(`${options.stateDir}/balance.lock`);
  const [round] = await roundsOf([needy, idle, silent], { ...options, dryRun: true });
  expect(round?.moves.map(({ domain, outcome }) => [domain, outcome])).toContainEqual(["needy", "planned"]);
  expect(round?.stays).toMatchObject([{ domain: "silent", why: expect.stringMatching(/^has no statistics: QEMU does not ask/) }]);
  expect([needy, idle, silent].flatMap(({ asked }) => asked)).toEqual([]);
});

test("what QEMU asks too seldom, or not, it asks more often meanwhile, and as before at the end", async () => {
  const never = new Machine("never", { has: 512, uses: 300 });
  never.period = 0;
  const seldom = new Machine("seldom", { has: 512, uses: 300 });
  seldom.period = 60;
  const rounds = await roundsOf([never, seldom], { ...(await folderOf()), atMost: 1200 * MIB });
  expect(rounds[0]?.notes).toEqual([
    "never: QEMU asks its guest every 5 s meanwhile; before: never",
    "seldom: QEMU asks its guest every 5 s meanwhile; before: every 60 s",
  ]);
  expect([never.asked, seldom.asked]).toEqual([
    ["period 5", "period 0"],
    ["period 5", "period 60"],
  ]);
});

test("what can't be put back is said in a last round", async () => {
  const never = new Machine("never", { has: 512, uses: 300 });
  never.period = 0;
  const rounds: BalanceRound[] = [];
  for await (const round of balance([never], { ...(await folderOf()), atMost: 600 * MIB })) {
    rounds.push(round);
    never.failure = new Error("it is gone");
  }
  expect(rounds.at(-1)).toMatchObject({
    ended: true,
    notes: [expect.stringMatching(/^never: how often .* put back to never: it is gone$/)],
  });
});

test("one that fails, or hangs, stops no other", async () => {
  const [needy, idle] = pair();
  const options = await folderOf();
  const dead = { name: "dead", memory: async () => Promise.reject(new Error("no answer")), change: needy.change };
  idle.failure = new Error("locked by process 7");
  const [round] = await roundsOf([dead, needy, idle], { ...options, atMost: 1100 * MIB });
  expect(round?.stays).toContainEqual({ domain: "dead", why: "does not answer: no answer", out: true, needy: false });
  expect(round?.moves).toMatchObject([
    { domain: "idle", outcome: "refused", failure: "locked by process 7" },
    // What was free it gets, and not what did not come.
    { domain: "needy", outcome: "applied", to: 588 * MIB },
  ]);
});

test("one that somebody else has moved since it was decided is not moved", async () => {
  const [needy, idle] = pair();
  const memory = idle.memory;
  const moved: Balanced = {
    name: "idle",
    change: idle.change,
    memory: async (options) => {
      const answer = await memory(options);
      idle.has = 400;
      return { ...answer, balloon: { actual: 512 * MIB, target: 512 * MIB, most: 1024 * MIB } };
    },
  };
  const [round] = await roundsOf([needy, moved], await folderOf());
  expect(round?.moves[0]).toMatchObject({ domain: "idle", outcome: "unchanged", report: { changes: [] } });
  expect(idle.asked).toEqual([]);
});

test("rounds go on until the signal, and the lock is free then", async () => {
  const [needy, idle] = pair();
  const options = await folderOf();
  const stop = new AbortController();
  const work = balance(async () => [needy, idle], { ...options, once: false, every: 1000, signal: stop.signal });
  onTestFinished(() => stop.abort());
  await work.next();
  await expect(roundsOf([needy], options)).rejects.toMatchObject({ code: "locked" });
  const second = await work.next();
  expect(second.value?.moves.map(({ domain }) => domain)).toEqual(["idle"]);
  stop.abort();
  expect(await work.next()).toMatchObject({ done: true });
  await (await acquireLock(`${options.stateDir}/balance.lock`, { timeout: 0 })).release();
});

test("settings that can't be are refused", async () => {
  await expect(roundsOf([], { every: 100 })).rejects.toThrow("every 100 ms: guests say what they use once a second at most");
  await expect(roundsOf([], { keepFree: 2 ** 60 })).rejects.toThrow(/^keep free \d+: the host has only \d+ bytes in all$/);
});
