import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { privateFolder } from "../../scripts/lab/machine.ts";
import { HostError } from "../../src/errors.ts";
import { unitOf } from "../../src/host/cgroup-unit.ts";
import { percentOf, quotaLine, setQuota, setWeight, weightLine } from "../../src/host/cgroup-write.ts";
import { type CpuGroup, cpuGroupOf, othersIn, readQuota, readWeight, whyNotWritten } from "../../src/host/cgroup.ts";

const root = await privateFolder();
afterAll(() => root[Symbol.asyncDispose]());

let turn = 0;
let folder: string;
beforeEach(() => {
  folder = join(root.path, `group${turn++}`);
  mkdirSync(folder);
});

/** Files of a group as the kernel has them, to be read and written as it would be. */
function group(version: 1 | 2, files: Readonly<Record<string, string>>): CpuGroup {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return { version, folder, path: "/web" };
}
const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");

describe("a quota", () => {
  test.each([
    [2, { "cpu.max": "max 100000\n" }, null],
    [2, { "cpu.max": "150000 100000\n" }, 150],
    [2, { "cpu.max": "33333 100000\n" }, 33.33],
    [2, {}, null],
    [1, { "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n" }, null],
    [1, { "cpu.cfs_quota_us": "25000\n", "cpu.cfs_period_us": "50000\n" }, 50],
    [1, {}, null],
  ] as const)("of v%s, %j, is %s percent of one CPU", (version, files, percent) => {
    expect(percentOf(readQuota(group(version, files)))).toBe(percent);
  });

  test("is written with the period that is there", async () => {
    const second = group(2, { "cpu.max": "max 20000" });
    await setQuota(second, null, 150, 1000);
    expect(textOf("cpu.max")).toMatch(/^30000 20000/);
    expect(quotaLine(second, null, null)).toBe(`echo max 20000 > ${folder}/cpu.max`);
  });

  test("gets a longer period if it would be less than the kernel's least", () => {
    const first = group(1, { "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "10000" });
    expect(quotaLine(first, null, 5)).toBe(`echo 100000 > ${folder}/cpu.cfs_period_us; echo 5000 > ${folder}/cpu.cfs_quota_us`);
    expect(quotaLine(first, null, null)).toBe(`echo -1 > ${folder}/cpu.cfs_quota_us`);
  });

  test("of a unit is a property of it", () => {
    const unit = { name: "web1.scope", user: null, isOneshot: false, endsWithUs: false, delegates: false };
    expect(quotaLine(group(2, {}), unit, 12.5)).toBe("systemctl --no-ask-password set-property --runtime -- web1.scope CPUQuota=12.5%");
    expect(quotaLine(group(2, {}), { ...unit, user: 4711 }, null)).toBe(
      "systemctl --no-ask-password --user --machine=4711@.host set-property --runtime -- web1.scope CPUQuota=",
    );
  });

  test("that can't be written is an error with the file", async () => {
    await expect(setQuota({ ...group(2, {}), folder: "/proc/1" }, null, 50, 1000)).rejects.toThrow(HostError);
  });
});

describe("a weight", () => {
  test.each([
    [2, { "cpu.weight": "200\n" }, 200],
    [2, { "cpu.weight": "0\n", "cpu.idle": "1\n" }, 0],
    [2, {}, 100],
    [1, { "cpu.shares": "1024\n" }, 100],
    [1, { "cpu.shares": "2\n" }, 1],
    [1, { "cpu.shares": "262144\n" }, 10_000],
    [1, { "cpu.shares": "3\n", "cpu.idle": "1\n" }, 0],
  ] as const)("of v%s, %j, is %s", (version, files, weight) => expect(readWeight(group(version, files))).toBe(weight));

  test("of v1 is as many shares, and comes back as it was written", async () => {
    for (const weight of [1, 7, 99, 100, 333, 10_000]) {
      const first = group(1, { "cpu.shares": "1024" });
      writeFileSync(join(folder, "cpu.shares"), "");
      await setWeight(first, null, weight, 1000);
      expect([weight, readWeight(first)]).toEqual([weight, weight]);
    }
    expect(weightLine(group(1, {}), null, 200)).toBe(`echo 2048 > ${folder}/cpu.shares`);
  });
});

describe("the processes of a group", () => {
  test("are those that the process has not started, those of groups below it too", async () => {
    const own = spawn("sh", ["-c", "sleep 1000 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
    const child = Number(String((await once(own.stdout, "data"))[0]));
    const other = spawn("sleep", ["1000"]);
    await once(other, "spawn");
    try {
      mkdirSync(join(folder, "below"));
      writeFileSync(join(folder, "cgroup.procs"), `${own.pid}\n${child}\n0\n`);
      writeFileSync(join(folder, "below", "cgroup.procs"), `${other.pid}\n`);
      expect(othersIn(folder, own.pid ?? 0)).toEqual([
        { pid: 0, name: "of another container" },
        { pid: other.pid, name: "sleep" },
      ]);
    } finally {
      for (const pid of [child, own.pid, other.pid]) process.kill(pid ?? 0, "SIGKILL");
    }
  });

  test("are none where there is no such group", () => expect(othersIn(join(folder, "nowhere"), 1)).toEqual([]));
});

test("the group of a process that has ended is not found, and the message says so", () => {
  expect(cpuGroupOf(4_194_304)).toEqual({ why: "its process has ended, or /proc does not show it" });
});

test("our own group is found where it is mounted, or the message says why not", () => {
  const own = cpuGroupOf(process.pid);
  if ("why" in own) expect(own.why).toMatch(/^(this host has no cgroups|cgroup v[12] is not mounted here|its cgroup, )/);
  else expect(readFileSync(join(own.folder, "cgroup.procs"), "utf8").split("\n")).toContain(String(process.pid));
});

test.each(["/user.slice/user-1.slice/user@1.service", "/machine.slice", "/web", "/"])("%s is no unit of systemd's", async (path) =>
  expect(await unitOf({ path })).toBeNull(),
);

test("a group that is called as a unit is none that systemd does not know", async () => {
  expect(await unitOf({ path: "/no.slice/no-such-unit-of-this-host.scope" })).toBeNull();
});

test("what is in the way of writing is said", () => {
  expect(whyNotWritten(join(folder, "cpu.max"))).toBe("is not there");
  expect(whyNotWritten(join(group(2, { "cpu.max": "" }).folder, "cpu.max"))).toBeNull();
});
