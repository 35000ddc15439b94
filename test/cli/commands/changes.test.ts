import { cwd } from "node:process";
import { describe, expect, test } from "vitest";
import type { WorkedOut } from "../../../src/domain/change/plan-asking.ts";
import type { ChangeOptions } from "../../../src/domain/model/change.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { QmpctlError } from "../../../src/errors.ts";
import { madeOf, play, reportOf } from "../scene.ts";

/** Runs a change and gives back what the library was asked for. */
async function asked(...argv: string[]): Promise<{ change: Change; options: ChangeOptions; code: number; stdout: string }> {
  let call: [Change, ChangeOptions] | undefined;
  const change = async (wanted: Change | WorkedOut, options: ChangeOptions) => ((call = [madeOf(wanted), options]), reportOf());
  const { code, stdout, stderr, opened, disposed } = await play(argv, { domain: { change } });
  expect([stderr, opened, disposed]).toEqual(["", [argv[1]], 1]);
  if (call === undefined) throw new Error("nothing was asked for");
  return { change: call[0], options: call[1], code, stdout };
}

describe("each verb asks for its resource", () => {
  test.each<[string[], Change]>([
    [["setmem", "web1", "300M"], { resource: "memory", size: 300 * 2 ** 20 }],
    [["setmem", "web1", "300M", "--balloon"], { resource: "memory", size: 300 * 2 ** 20 }],
    [["setmem", "web1", "300M", "--device", "vm.0"], { resource: "memory-plugged", id: "vm.0", size: 300 * 2 ** 20 }],
    [["setmem", "web1", "0", "--device", "vm0"], { resource: "memory-plugged", id: "vm0", size: 0 }],
    [
      ["update-memory-device", "web1", "--alias", "vm0", "--requested-size", "300M"],
      { resource: "memory-plugged", id: "vm0", size: 300 * 2 ** 20 },
    ],
    [
      ["update-memory-device", "web1", "--alias", "vm0", "--requested-size", "2048"],
      { resource: "memory-plugged", id: "vm0", size: 2 ** 21 },
    ],
    [["setmaxmem", "web1", "2GiB"], { resource: "max-memory", size: 2 ** 31 }],
    [["setvcpus", "web1", "3"], { resource: "vcpus", count: 3 }],
    [["setvcpus", "web1", "0"], { resource: "vcpus", count: 0 }],
    [["setvcpus", "web1", "8", "--maximum"], { resource: "max-vcpus", count: 8 }],
    [["setvcpus", "web1", "2", "--guest"], { resource: "guest-vcpus", count: 2, how: "exactly" }],
    [["setvcpu", "web1", "1,3", "--enable"], { resource: "vcpus-online", vcpus: "1,3", online: "1,3" }],
    [["setvcpu", "web1", "2", "--disable"], { resource: "vcpus-online", vcpus: "2", online: "none" }],
    [["setvcpu", "web1", "0,3", "--only"], { resource: "vcpus-online", vcpus: "all", online: "0,3" }],
    [["setvcpu", "web1", "2", "--only", "--among", "2-3"], { resource: "vcpus-online", vcpus: "2-3", online: "2" }],
    [["blockresize", "web1", "d0", "2GiB"], { resource: "disk-size", disk: "d0", size: 2 ** 31 }],
    [["change-media", "web1", "cd0", "/a.iso"], { resource: "disk-medium", disk: "cd0", medium: "/a.iso" }],
    [
      ["change-media", "web1", "cd0", "a.iso", "--format", "qcow2"],
      { resource: "disk-medium", disk: "cd0", medium: `qcow2:${cwd()}/a.iso` },
    ],
    [["change-media", "web1", "cd0", "none"], { resource: "disk-medium", disk: "cd0", medium: `${cwd()}/none` }],
    [["change-media", "web1", "cd0", "nbd://h/x", "--update"], { resource: "disk-medium", disk: "cd0", medium: "nbd://h/x" }],
    [["change-media", "web1", "cd0", "--eject"], { resource: "disk-medium", disk: "cd0", medium: "none" }],
    [["vcpupin", "web1", "1", "0-3,^2"], { resource: "vcpu-pin", vcpu: 1, cpus: "0-3,^2" }],
  ])("%j", async (argv, change) => expect((await asked(...argv)).change).toEqual(change));
});

test("attach makes relative paths absolute, as QEMU works in another folder; not those of another host", async () => {
  const given: Change[] = [];
  const attach = (domain: string, ...words: string[]) =>
    play(["attach", domain, ...words], { domain: { change: async (wanted) => (given.push(madeOf(wanted)), reportOf()) } });
  const words = ["-blockdev", "raw,node-name=d,file.driver=file,file.filename=a.raw", "-device", "virtio-blk-pci,drive=d,id=d1"];
  const { stderr, code } = await attach("web1", ...words);
  expect([code, stderr]).toEqual([0, `note: relative paths are meant from ${process.cwd()}, and are absolute now: a.raw\n`]);
  await attach("exec:ssh far socat - UNIX:/q", ...words);
  expect(given.map((change) => "words" in change && change.words.includes(`file.filename=${process.cwd()}/a.raw`))).toEqual([true, false]);
  const withoutId = await attach("web1", "-device", "virtio-rng-pci");
  expect(withoutId.stderr).toMatch(/^note: its id is (virtio-rng-pci-\w{4}): qmpctl detach web1 \1 unplugs it\n$/);
});

test.each([
  ["unplugmem", "DIMM"],
  ["detach", "device"],
  ["iothreaddel", "iothread"],
])("%s of what is not there says so: its name may be a slip", async (verb, what) => {
  const at = (before: number | string | null, steps: number) => {
    const half = { before, wanted: null, actual: before, outcome: "unchanged" } as const;
    const step = { what: "", sends: "", outcome: "done" } as const;
    const changes = [{ change: { resource: "iothread", iothread: "x1", state: "absent" }, static: half, dynamic: half } as const];
    return play([verb, "web1", "x1"], { domain: { change: async () => reportOf({ changes, steps: Array(steps).fill(step) }) } });
  };
  const nothing = verb === "unplugmem" ? 0 : "absent";
  expect(await at(nothing, 0)).toMatchObject({ code: 0, stderr: `note: there was no ${what} x1\n` });
  // It has gone, and what it used is freed now.
  expect((await at(nothing, 1)).stderr).toBe("");
  expect((await at(verb === "unplugmem" ? 5 : "present", 0)).stderr).toBe("");
});

describe("change-media", () => {
  const cd = { resource: "disk-medium", disk: "cd0", medium: "/a.iso" } as const;
  const half = { before: "/b.iso", wanted: "/a.iso", actual: "/b.iso", outcome: "skipped" } as const;
  const none = { ...half, before: "none" } as const;

  test.each([
    [["--eject", "--insert", "/a"], "--eject and --insert: give only one"],
    [["--eject", "/a"], "--eject: /a is not put in then"],
    [[], "FILE: missing"],
    [["/a", "--format", "iso"], "--format iso: not a format of images"],
    [["/a\nb"], "not a file"],
    [["/a", "--print-xml"], "--dry-run shows what would be done"],
  ])("refuses %j", async (words, why) => {
    const { code, stderr, opened } = await play(["change-media", "web1", "cd0", ...words]);
    expect([code, opened]).toEqual([2, []]);
    expect(stderr).toContain(why);
  });

  test.each([
    ["an empty drive", { static: none, dynamic: none }, 0],
    ["a drive that is full in one half", { static: half, dynamic: none }, 2],
    ["a drive that has it already", { static: { ...half, outcome: "unchanged" }, dynamic: none }, 0],
    ["a half that is not asked for", { static: { ...half, wanted: null }, dynamic: none }, 0],
  ] as const)("--insert: %s", async (_, halves, expected) => {
    const asked: (boolean | undefined)[] = [];
    const change = async (_change: unknown, { dryRun }: ChangeOptions) => (
      asked.push(dryRun),
      reportOf({ changes: [{ change: cd, ...halves }] })
    );
    const { code, stderr } = await play(["change-media", "web1", "cd0", "/a.iso", "--insert"], { domain: { change } });
    expect([code, asked]).toEqual([expected, expected === 0 ? [true, false] : [true]]);
    if (expected !== 0) expect(stderr).toContain("--insert: drive cd0 has /b.iso in it");
  });
});

test("setvcpus --online is one change of the machine and of its guest", async () => {
  const given: unknown[] = [];
  await play(["setvcpus", "web1", "3", "--online"], { domain: { change: async (wanted) => (given.push(wanted), reportOf()) } });
  expect(given).toEqual([
    [
      { resource: "vcpus", count: 3 },
      { resource: "guest-vcpus", count: 3, how: "at-least" },
    ],
  ]);
  for (const flags of [
    ["--online", "--guest"],
    ["--guest", "--maximum"],
    ["--online", "--static"],
  ])
    expect((await play(["setvcpus", "web1", "3", ...flags])).code).toBe(2);
});

describe("setvcpu says what is to happen, in one word", () => {
  test.each([
    [[], "setvcpu 3: say what is to happen with them"],
    [["--enable", "--disable"], "--enable and --disable: give only one"],
    [["--enable", "--among", "3"], "--among 3: it goes with --only"],
  ])("%j is a usage error, before anything is opened", async (flags, why) => {
    const { code, stderr, opened } = await play(["setvcpu", "web1", "3", ...flags]);
    expect([code, opened]).toEqual([2, []]);
    expect(stderr).toContain(why);
  });
});

describe("scopes", () => {
  test.each([
    [[], "current"],
    [["--current"], "current"],
    [["--static"], "static"],
    [["--config"], "static"],
    [["--dynamic"], "dynamic"],
    [["--live"], "dynamic"],
    [["--static", "--dynamic"], "both"],
    [["--live", "--config"], "both"],
    [["--static", "--config"], "static"],
  ])("%j is %s", async (flags, scope) => expect((await asked("setvcpus", "web1", "2", ...flags)).options.scope).toBe(scope));

  test.each([
    [["--current", "--live"], "--current and --dynamic: give only one"],
    [["--config", "--current"], "--current and --static: give only one"],
  ])("%j is a usage error, before anything is opened", async (flags, why) => {
    const { code, stderr, opened } = await play(["setvcpus", "web1", "2", ...flags]);
    expect([code, opened]).toEqual([2, []]);
    expect(stderr).toContain(`qmpctl: ${why}\nusage: qmpctl setvcpus`);
  });
});

describe("options of every change", () => {
  test("as they are when nothing is said: the library's own defaults", async () => {
    const { options } = await asked("setvcpus", "web1", "2");
    expect(options).toEqual({ scope: "current", dryRun: false, force: false, signal: expect.any(AbortSignal) as AbortSignal });
  });

  test("all of them", async () => {
    const { options } = await asked(
      "setmem",
      "web1",
      "1G",
      "--dry-run",
      "--force",
      "--timeout",
      "500ms",
      "--undo-timeout",
      "2s",
      "--on-failure",
      "keep",
    );
    expect(options).toMatchObject({ dryRun: true, force: true, timeout: 500, undoTimeout: 2000, onFailure: "keep" });
  });

  test.each([
    [["--on-failure", "retry"], "--on-failure retry: give undo or keep"],
    [["--timeout", "soon"], '"soon": not a time'],
    [["--undo-timeout", "never"], '"never": not a time'],
  ])("%j is a usage error", async (flags, why) => {
    const { code, stderr } = await play(["setmem", "web1", "1G", ...flags]);
    expect(code).toBe(2);
    expect(stderr).toContain(why);
  });
});

test.each([
  [["setvcpus", "web1", "two"], 'COUNT "two": not a whole number'],
  [["setvcpus", "web1", "1.5"], 'COUNT "1.5": not a whole number'],
  [["vcpupin", "web1", "all", "0"], 'VCPU "all": not a whole number'],
  [["setmem", "web1", "lots"], 'size "lots"'],
])("%j is a usage error", async (argv, why) => {
  const { code, stderr } = await play(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(why);
});

test("a bare size is refused with both things it could have meant", async () => {
  const { code, stderr } = await play(["setmem", "web1", "300"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/300 ?KiB.*300 ?MiB/);
});

describe("the answer", () => {
  test("a table for people", async () =>
    expect((await asked("setmem", "web1", "300M")).stdout).toMatch(/^resource .*\nmemory    static   1GiB -> 300MiB /));

  test("the library's report, on one line, for programs", async () => {
    const { stdout } = await asked("setmem", "web1", "300M", "--json");
    expect(stdout).toBe(`${JSON.stringify(reportOf())}\n`);
  });

  test("pending is 5", async () => {
    const played = await play(["setmem", "web1", "300M"], { domain: { change: async () => reportOf({ outcome: "pending" }) } });
    expect([played.code, played.stderr]).toEqual([5, ""]);
  });
});

test.each(["revert", "persist"] as const)("%s takes the options of effort, and no scope", async (verb) => {
  let options: ChangeOptions | undefined;
  const work = async (given: ChangeOptions) => ((options = given), reportOf());
  expect((await play([verb, "web1", "--dry-run", "--timeout", "2m"], { domain: { [verb]: work } })).code).toBe(0);
  expect(options).toEqual({ dryRun: true, force: false, timeout: 120_000, signal: expect.any(AbortSignal) as AbortSignal });
  expect((await play([verb, "web1", "--live"])).code).toBe(2);
});

describe("on a terminal", () => {
  const change = async (_: Change, { onProgress }: ChangeOptions) => {
    onProgress?.({ what: "memory", actual: 2 ** 30, wanted: 2 ** 29, elapsed: 100, timeout: 30_000 });
    return reportOf();
  };

  test("progress is drawn on stderr and wiped before the answer", async () => {
    const { stdout, stderr } = await play(["setmem", "web1", "512M"], { domain: { change }, columns: 80 });
    expect(stderr).toBe("\r\u001b[Kmemory: 1GiB, going to 512MiB (100 ms of 30 s)\r\u001b[K");
    expect(stdout).toContain("\u001b[32mapplied\u001b[39m");
  });

  test("it is wiped on failure too", async () => {
    const failing = async (...call: Parameters<typeof change>) =>
      change(...call).then(() => Promise.reject(new QmpctlError("host", "taskset: not found")));
    const { stderr, code } = await play(["setmem", "web1", "512M"], { domain: { change: failing }, columns: 80 });
    expect(code).toBe(1);
    expect(stderr).toMatch(/30 s\)\r\u001b\[Kqmpctl: taskset: not found\n$/);
  });

  test("an interrupt says at once that undoing takes its time", async () => {
    const interrupt = new AbortController();
    const slow = async () => {
      interrupt.abort(new Error("interrupted by SIGINT"));
      return reportOf();
    };
    const { stderr } = await play(["setmem", "web1", "512M"], { domain: { change: slow }, columns: 80, signal: interrupt.signal });
    expect(stderr).toBe("\r\u001b[Kqmpctl: interrupted: undoing; press again to quit now\n");
  });
});
