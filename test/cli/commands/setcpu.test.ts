import { expect, test } from "vitest";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { play, reportOf } from "../scene.ts";

test.each<[string[], readonly Change[]]>([
  [["--quota", "150%"], [{ resource: "cpu-quota", quota: "150%" }]],
  [["--weight", "200"], [{ resource: "cpu-weight", weight: 200 }]],
  [
    ["--weight=default", "--quota=none"],
    [
      { resource: "cpu-quota", quota: "none" },
      { resource: "cpu-weight", weight: 100 },
    ],
  ],
])("setcpu web1 %j is one set of changes", async (words, wanted) => {
  const asked: unknown[] = [];
  const change = async (given: unknown) => (asked.push(given), reportOf());
  const { code } = await play(["setcpu", "web1", ...words], { domain: { change } });
  expect([code, asked]).toEqual([0, [wanted]]);
});

test.each([
  [[], "nothing to change: give --quota, --weight or both"],
  [["--weight", "much"], '--weight "much": not a whole number'],
  [["--quota"], "--quota"],
])("setcpu web1 %j is a usage error, before anything is opened", async (words, why) => {
  const { code, stderr, opened } = await play(["setcpu", "web1", ...words]);
  expect([code, opened]).toEqual([2, []]);
  expect(stderr).toContain(why);
});

test("schedinfo of virsh gets the way", async () => {
  const { code, stderr } = await play(["schedinfo", "web1"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/qmpctl setcpu web1 --quota 150%/);
});
