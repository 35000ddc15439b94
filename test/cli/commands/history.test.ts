import { describe, expect, test } from "vitest";
import type { HistoryEntry, HistoryOptions } from "../../../src/domain/views/history.ts";
import { play } from "../scene.ts";

const year = new Date().getFullYear();
const at = (hour: number): string => new Date(year, 10, 26, hour, 5, 9).toISOString();
const GIB = 2 ** 30;
const CHANGE: HistoryEntry = {
  key: "a",
  what: "change",
  domain: "web1",
  who: { uid: 0, user: "root", sudo: "alice", from: "192.0.2.7", program: ["qmpctl", "setmem", "web1", "1GiB"], pid: 7 },
  began: at(21),
  ended: at(21),
  outcome: "pending",
  scope: "both",
  changes: [
    {
      name: "memory",
      resource: "memory",
      static: { outcome: "applied", before: 2 * GIB, wanted: GIB, actual: GIB },
      dynamic: { outcome: "pending", before: 2 * GIB, wanted: GIB, actual: 1.5 * GIB },
    },
    {
      name: "vcpus",
      resource: "vcpus",
      static: { outcome: "applied", before: 1, wanted: 2, actual: 2 },
      dynamic: { outcome: "applied", before: 1, wanted: 2, actual: 2 },
    },
  ],
};
const START: HistoryEntry = {
  ...{ key: "b", what: "start", domain: "web1", began: at(22), ended: at(22), outcome: "done", about: "process 4711" },
  who: { uid: 1000, user: "bob", isRoot: true, program: ["night.mjs"], pid: 8 },
};

async function shown(words: readonly string[], entries: readonly HistoryEntry[] = [CHANGE, START], unreadable = 0) {
  let asked: HistoryOptions | undefined;
  const history = async (options: HistoryOptions) => ((asked = options), { entries, unreadable });
  const played = await play(["history", "web1", ...words], { domain: { history } });
  return { ...played, asked: { last: asked?.last, within: asked?.within } };
}

describe("history", () => {
  test("shows a row for each thing that was done, and for each change of a set", async () => {
    const { code, stdout, stderr, asked } = await shown([]);
    expect([code, stderr, asked.last, asked.within]).toEqual([0, "", 20, undefined]);
    expect(stdout.split("\n")).toEqual([
      "when            who                      what     result",
      "11-26 21:05:09  alice as root@192.0.2.7  memory   pending: static 2GiB -> 1GiB, dynamic 2GiB -> 1GiB pending",
      "                                           vcpus  static and dynamic 1 -> 2",
      "11-26 22:05:09  root                     start    done: process 4711",
      "",
    ]);
  });

  test("is one JSON value for a program, and all of them", async () => {
    const { stdout, asked } = await shown(["--json"]);
    expect(JSON.parse(stdout)).toEqual([CHANGE, START]);
    expect(asked.last).toBeUndefined();
    expect((await shown(["--json"], [])).stdout).toBe("[]\n");
  });

  test.each([
    [["-n", "3"], { last: 3, within: undefined }],
    [["--last", "3", "--since", "2h"], { last: 3, within: 7_200_000 }],
    [["--since", "7d"], { last: undefined, within: 604_800_000 }],
  ])("%j asks for %j", async (words, wanted) => {
    expect((await shown(words)).asked).toEqual(wanted);
  });

  test("refuses what is no number and no time", async () => {
    expect((await shown(["-n", "x"])).stderr).toContain('--last "x": not a whole number');
    expect((await shown(["--since", "tomorrow"])).stderr).toContain('--since "tomorrow": give how long ago');
  });

  test("says when nothing is known, and when lines can't be read", async () => {
    expect(await shown([], [])).toMatchObject({ code: 0, stdout: "", stderr: "note: nothing is known of web1\n" });
    // Of nothing that was asked for, nothing was asked.
    expect((await shown(["-n", "0"], [])).stderr).toBe("");
    expect((await shown(["--since", "1h"], [])).stderr).toBe("note: nothing is known of web1 in that time\n");
    expect((await shown([], [START], 2)).stderr).toMatch(/^note: 2 of its lines can't be read/);
  });
});
