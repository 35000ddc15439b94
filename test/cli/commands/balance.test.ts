import { expect, test } from "vitest";
import { BalancePrinter } from "../../../src/cli/balance-lines.ts";
import { verb } from "../../../src/cli/commands/balance.ts";
import { balanceLine } from "../../../src/cli/schema/balance.ts";
import type { BalanceMove } from "../../../src/domain/balance/round.ts";
import type { BalanceRound } from "../../../src/domain/balance/shapes.ts";
import type { Domain } from "../../../src/domain/facade.ts";
import { HostError } from "../../../src/errors.ts";
import { faultOf } from "../../../src/shape.ts";
import { invalid } from "../../json-schema.ts";
import { ioOf, play, reportOf } from "../scene.ts";

const MIB = 2 ** 20;
const host = { total: 1024 * MIB, available: 512 * MIB, free: 100 * MIB, pressed: false };
const move: BalanceMove = {
  ...{ domain: "web1", kind: "grow", from: 512 * MIB, to: 576 * MIB, actual: 576 * MIB, outcome: "applied", needy: true, why: "it swaps" },
  report: reportOf({ outcome: "applied" }),
};
const round = (more: Partial<BalanceRound> = {}): BalanceRound => ({
  ...{
    at: "2026-11-26T12:00:00.000Z",
    host,
    moves: [move],
    stays: [{ domain: "db1", why: "is well: 12MiB", out: false, needy: true }],
    notes: [],
    ...more,
  },
});

async function printed(rounds: readonly BalanceRound[], how: Partial<ConstructorParameters<typeof BalancePrinter>[1]> = {}) {
  const io = ioOf();
  const printer = new BalancePrinter(io, { json: false, whole: false, isNamed: false, ...how });
  for (const each of rounds) await printer.print(each);
  return { lines: io.stdout.text.trimEnd().split("\n"), printer };
}

/** Lines without their times, which are local. */
const words = (lines: readonly string[]): readonly string[] => lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ""));

test("a move is a line, and one that stays is shown again only when its reason is another one", async () => {
  const moved = round({ stays: [{ domain: "db1", why: "is well: 99MiB", out: false, needy: true }] });
  const pressed = round({
    host: { ...host, free: -100 * MIB, pressed: true },
    moves: [],
    stays: [{ domain: "db1", why: "it swaps", out: false, needy: true }],
  });
  expect(words((await printed([round(), moved, pressed])).lines)).toEqual([
    "host: 512MiB of 1GiB available, 100MiB to give",
    "web1 512MiB -> 576MiB, applied: it swaps",
    "db1 stays: is well: 12MiB",
    "web1 512MiB -> 576MiB, applied: it swaps",
    "host: 512MiB of 1GiB available, 100MiB more were promised to guests than it has; it waits for memory",
    "db1 stays: it swaps",
  ]);
  const well = round({ stays: [{ domain: "db1", why: "is well", out: false, needy: false }] });
  expect((await printed([well])).lines).toHaveLength(2);
  expect((await printed([well], { whole: true })).lines).toHaveLength(3);
  expect((await printed([round(), moved], { whole: true })).lines).toHaveLength(6);
});

test("what is pending, failed, or done besides is said", async () => {
  const pending: BalanceMove = { ...move, outcome: "pending", actual: 530 * MIB };
  const { failure, ...failed } = { ...move, outcome: "refused", actual: null, failure: "locked by process 7" } as const;
  const { lines } = await printed([round({ moves: [pending, { ...failed, failure }], stays: [], notes: ["web1: asked every 5 s"] })]);
  expect(words(lines).slice(1)).toEqual([
    "web1: asked every 5 s",
    "web1 512MiB -> 576MiB, pending, at 530MiB now: it swaps",
    "web1 512MiB -> 576MiB, refused: locked by process 7; wanted because it swaps",
  ]);
});

test("each line of JSON is as its schema says", async () => {
  const { lines } = await printed([round({ notes: ["x"] })], { json: true });
  expect(lines.map((line) => JSON.parse(line).what)).toEqual(["host", "note", "move", "stay"]);
  for (const line of lines) {
    expect(faultOf(balanceLine, JSON.parse(line))).toBeUndefined();
    expect(invalid(balanceLine.schema(), JSON.parse(line))).toBeNull();
  }
  expect(faultOf(balanceLine, { what: "move" })).toBeDefined();
});

test.each<[string, readonly BalanceRound[], number, boolean?]>([
  ["all is made", [round()], 0],
  ["it is on its way", [round({ moves: [{ ...move, outcome: "pending", report: reportOf({ outcome: "pending" }) }] })], 5],
  ["one failed, before others", [round({ moves: [move, { ...move, outcome: "refused", failure: "x", report: undefined as never }] })], 1],
  ["one is half done", [round({ moves: [{ ...move, outcome: "failed", report: reportOf({ outcome: "failed" }) }] })], 4],
  ["nobody can be balanced", [round({ moves: [], stays: [{ domain: "a", why: "is paused", out: true, needy: false }] })], 3],
  ["one of several can't be", [round({ stays: [{ domain: "a", why: "is paused", out: true, needy: false }] })], 0],
  ["it was ended", [round()], 0, true],
  ["it was ended, and a move was undone", [round({ moves: [{ ...move, outcome: "interrupted" }] })], 130, true],
  ["it was ended, and something is not put back", [round(), round({ moves: [], stays: [], notes: ["x"], ended: true })], 1, true],
])("exit code: %s", async (_, rounds, code, isInterrupted = false) => {
  expect((await printed(rounds)).printer.exitCode(isInterrupted)).toBe(code);
});

test("a machine that was named and can't be balanced is a refusal", async () => {
  const rounds = [round({ stays: [{ domain: "a", why: "is paused", out: true, needy: false }] })];
  expect((await printed(rounds, { isNamed: true })).printer.exitCode(false)).toBe(3);
});

test("machines are opened by their names, and each is let go of; a dry run asks them only", async () => {
  const domain: Partial<Domain> = {
    memory: async () => ({ name: "web1", state: "running", balloon: null, guest: null, limits: { min: null, max: 1 } }),
    change: async () => Promise.reject(new HostError("nothing is to be changed")),
  };
  const named = await play(["balance", "web1", "db1", "web1", "--once", "--dry-run"], { domain });
  expect(named).toMatchObject({ code: 3, opened: ["web1", "db1"], disposed: 2, stderr: "" });
  expect(named.stdout).toMatch(/ web1 stays: its config has no memory.min/);
  const list = async () => [{ name: "all1", state: "running", transient: false } as const];
  expect(await play(["balance", "--once", "--dry-run"], { domain, facade: { list } })).toMatchObject({ code: 3, opened: ["all1"] });
  const none = await play(["balance", "--once", "--dry-run"], { facade: { list: async () => [] } });
  expect(none).toMatchObject({ code: 0, stdout: expect.stringMatching(/ no machine runs\n$/) });
});

test.each<[readonly string[], RegExp]>([
  [["--once", "--every", "5s"], /--once and --every: give only one/],
  [["--keep-free", "12"], /12/],
  [["--every", "never"], /"never": not a time/],
  [["--once", "--dry-run", "--every=1ms"], /give only one/],
  [["--dry-run", "--every", "1ms"], /every 1 ms: guests say what they use once a second at most/],
  [["ssh://kvm1/web1"], /balance: is of the host that it runs on/],
])("refuses %s", async (line, why) => {
  const { code, stderr } = await play(["balance", ...line], { facade: { list: async () => [] } });
  expect(code).toBe(2);
  expect(stderr).toMatch(why);
});

test("is of one host", async () => {
  const host = async () => Promise.reject(new Error("asked"));
  for (const line of [
    ["-H", "kvm1", "balance", "--once"],
    ["-H", "kvm[1-2]", "balance", "--once"],
    ["-H", "kvm[1-2]", "balance", "web1", "--once"],
  ]) {
    const { code, stderr } = await play(line, { host });
    expect([code, stderr.split("\n")[0]]).toEqual([
      2,
      expect.stringMatching(/^qmpctl: balance: is of (this host|the host that it runs on)/),
    ]);
  }
  expect(verb.usage).toHaveLength(2);
});
