import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { GIB, MIB } from "../../../scripts/lab/facts.ts";
import { type Timers, timersIn } from "../../../scripts/lab/timers.ts";
import { observationOf } from "../../../src/domain/balance/look.ts";
import type { Report } from "../../../src/domain/change/change-report.ts";
import { EndError, RefusedError } from "../../../src/domain/change/errors.ts";
import type { DomainInfo } from "../../../src/domain/views/inspect.ts";
import { programIs } from "../../../src/host/own-program.ts";
import { ownFolder } from "../../config/folder.ts";
import { failure, runningDomain, type RunningScene, takeLock } from "../scene.ts";

const SIZE = 300 * MIB;
/** A process that is no more, and was not this one. */
const DEAD = 2 ** 22 + 1;

let timers: Timers;
beforeEach(async () => {
  timers = await timersIn(await ownFolder());
  vi.stubEnv("PATH", `${timers.folder}:${process.env["PATH"]}`);
  programIs(() => ({ path: process.execPath }));
  onTestFinished(() => void vi.unstubAllEnvs());
});

/** The ends that `info` shows. */
async function endsOf({ domain }: RunningScene): Promise<NonNullable<DomainInfo["ends"]>> {
  return (await domain.info()).ends ?? [];
}

/** QEMU refuses the balloon until the result is called. */
function refusing({ qemu }: RunningScene): () => void {
  let refuses = true;
  qemu.refuses("balloon", "no", () => refuses);
  return () => (refuses = false);
}

async function keyOf(scene: RunningScene): Promise<string> {
  return (await endsOf(scene))[0]?.key ?? "";
}

/** As its timer does. */
async function comes(scene: RunningScene, key: string, attempt = 1): Promise<Report> {
  return scene.domain.revert({ end: `${key}-${attempt}` });
}

test("a change with an end is made, its timer armed, and info, diff and the report say until when and what then", async () => {
  const scene = await runningDomain();
  const report = await scene.domain.setMemory(SIZE, { for: "8h" });
  const [{ key, until, timer, items } = { key: "", until: "", timer: "", items: [] }] = await endsOf(scene);
  expect(report.end).toEqual({ key, until, timer });
  expect(Math.abs(Date.parse(until) - Date.now() - 8 * 3_600_000)).toBeLessThan(60_000);
  expect(items).toEqual([{ resource: "memory", left: SIZE, then: GIB }]);
  expect(report.notes.join()).toMatch(/^until \S+ \S+ \S+: memory 300MiB, then 1GiB again \(systemd /);
  expect(await timers.armed()).toEqual([`qmpctl-end-${key}-1.timer`]);
  const told = await timers.told(`qmpctl-end-${key}-1.timer`);
  expect(told.slice(told.indexOf("--"))).toEqual([
    ...["--", process.execPath, process.execPath, "revert", scene.place.config?.path, "--end", `${key}-1`],
  ]);
  expect(told).toContain(`--setenv=QMPCTL_STATE_DIR=${scene.options.stateDir}`);
  const row = (await scene.domain.diff()).find(({ resource }) => resource === "memory");
  expect(row).toMatchObject({ until, then: GIB });
  expect(row?.why).toMatch(/^until .*, then 1GiB again; /);
  expect(await scene.text()).not.toContain("300MiB");
});

test("at its end it is taken back by an ordinary change, told afterwards, and the timer is armed no more", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { until: "07:00" });
  const report = await comes(scene, await keyOf(scene));
  expect(report).toMatchObject({ outcome: "applied", scope: "dynamic" });
  expect(scene.qemu.actual).toBe(GIB);
  const { ends, lastEnd } = await scene.domain.info();
  expect(ends).toBeUndefined();
  expect(lastEnd).toMatchObject({ outcome: "applied", notes: ["memory: 300MiB -> 1GiB, applied"] });
  expect(await timers.armed()).toEqual([]);
});

test("only what is still as it was left is taken back, item by item, and it is said of the rest", async () => {
  const scene = await runningDomain();
  await scene.domain.change(
    [
      { resource: "memory", size: SIZE },
      { resource: "vcpus", count: 3 },
    ],
    { for: "1h" },
  );
  const changed = await scene.domain.setMemory(400 * MIB);
  expect(changed.notes.join()).toMatch(/memory: an earlier change of it ends at .*; that will not touch it, as it left it at 300MiB/);
  const report = await comes(scene, await keyOf(scene));
  expect(report.notes).toContain("memory: left at 300MiB, is 400MiB now: not touched");
  expect([scene.qemu.actual, scene.qemu.plugged.size]).toEqual([400 * MIB, 2]);
});

test("a memory target that the guest has not reached yet is still as it was left, and the target goes back", async () => {
  const scene = await runningDomain();
  scene.qemu.guestObeys = false;
  expect((await scene.domain.setMemory(SIZE, { for: "1h", timeout: 50 })).outcome).toBe("pending");
  const report = await scene.domain.revert({ end: `${await keyOf(scene)}-1`, timeout: 50 });
  expect(report.notes).not.toContain(expect.stringContaining("not touched"));
  expect(scene.qemu.target).toBe(GIB);
});

test("what a vCPU gets that comes with the same change goes with it", async () => {
  const scene = await runningDomain();
  await scene.domain.change(
    [
      { resource: "vcpus", count: 3 },
      { resource: "vcpu-pin", vcpu: 2, cpus: "0" },
    ],
    { for: "1h" },
  );
  const [end] = await endsOf(scene);
  expect(end?.what).toBe("vcpus 3, then 2 again");
  await comes(scene, end?.key ?? "");
  expect(scene.qemu.plugged.size).toBe(2);
});

test("a second one takes the first one's place, and goes back to what was before the first", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  const first = await keyOf(scene);
  await scene.domain.setMemory(400 * MIB, { for: "2h" });
  const [end, ...others] = await endsOf(scene);
  expect([end?.items, others]).toEqual([[{ resource: "memory", left: 400 * MIB, then: GIB }], []]);
  expect(await timers.armed()).toEqual([`qmpctl-end-${end?.key}-1.timer`]);
  // The first one's timer, if it could not be taken away, finds nothing to do.
  expect((await comes(scene, first)).notes.join()).toMatch(/no such end is known/);
  await comes(scene, end?.key ?? "");
  expect(scene.qemu.actual).toBe(GIB);
});

test("the same value once more prolongs it; what is so without an end gets none", async () => {
  const scene = await runningDomain();
  const none = await scene.domain.setMemory(GIB, { for: "1h" });
  expect([none.outcome, none.end, await timers.armed()]).toEqual(["unchanged", undefined, []]);
  expect(none.notes.join()).toMatch(/nothing is taken back later/);
  await scene.domain.setMemory(SIZE, { for: "1h" });
  const first = await keyOf(scene);
  expect((await scene.domain.setMemory(SIZE, { for: "2d" })).outcome).toBe("unchanged");
  const [end] = await endsOf(scene);
  expect(end?.key).not.toBe(first);
  expect(end?.items).toEqual([{ resource: "memory", left: SIZE, then: GIB }]);
  expect(Date.parse(end?.until ?? "") - Date.now()).toBeGreaterThan(47 * 3_600_000);
  expect(await timers.armed()).toEqual([`qmpctl-end-${end?.key}-1.timer`]);
});

test.each(["revert", "persist"] as const)("%s cancels the end of what it is about, and only that", async (verb) => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  await scene.domain.setVcpus(3, { for: "1h" });
  const report = await scene.domain[verb]({ resource: "memory" });
  expect(report.notes.join()).toMatch(/the end at .* is cancelled: memory/);
  expect((await endsOf(scene)).map(({ what }) => what)).toEqual(["vcpus 3, then 2 again"]);
  await scene.domain[verb]();
  expect([await endsOf(scene), await timers.armed()]).toEqual([[], []]);
});

describe("refused, and nothing touched", () => {
  async function refusal(scene: RunningScene, work: Promise<unknown>): Promise<string> {
    const { report } = await failure(work, RefusedError);
    expect([scene.sent(), await timers.armed(), await endsOf(scene)]).toEqual([[], [], []]);
    return report.refusals.map(({ reason, instead }) => `${reason}; ${instead}`).join("\n");
  }

  test("in the config, and in both halves: an end is of the running machine", async () => {
    const scene = await runningDomain();
    const text = await scene.text();
    expect(await refusal(scene, scene.domain.setMemory(SIZE, { for: "1h", scope: "static" }))).toMatch(
      /the config is for the next start.*--dynamic/,
    );
    expect(await refusal(scene, scene.domain.setMemory(SIZE, { for: "1h", scope: "both" }))).toMatch(
      /the config's half .* would stay.*--dynamic/,
    );
    expect(await scene.text()).toBe(text);
  });

  test("where no timer works, with the line of a crontab, which is told of folders that only this shell knows", async () => {
    const scene = await runningDomain();
    const { config, runtime, state } = scene.place.folders;
    const folders = `QMPCTL_CONFIG_DIR=${config} QMPCTL_RUNTIME_DIR=${runtime} QMPCTL_STATE_DIR=${state}`;
    for (const tool of ["systemd", "at"] as const) await timers.break(tool);
    const refused = await refusal(scene, scene.domain.setMemory(SIZE, { for: "1h" }));
    expect(refused).toMatch(
      /no timer of this host works: .*; systemd or at has to run here; or .* line of your crontab.*: \d+ \d+ \d+ \d+ \* QMPCTL_/,
    );
    expect(refused.endsWith(` * ${folders} qmpctl setmem web1 1GiB --dynamic`)).toBe(true);
  });

  test("where the timer is not taken, or no program of ours is in a file that can be named", async () => {
    const scene = await runningDomain();
    await timers.break("arming");
    await expect(scene.domain.setMemory(SIZE, { for: "1h" })).rejects.toThrow(/no timer could be armed: .*Failed to start transient timer/);
    expect([scene.sent(), await endsOf(scene)]).toEqual([[], []]);
    await timers.mend("arming");
    programIs(() => undefined);
    expect(await refusal(scene, scene.domain.setMemory(SIZE, { for: "1h" }))).toMatch(/no file has the program/);
    const odd = `${await ownFolder()}/a$b`;
    await writeFile(odd, "");
    programIs(() => ({ path: odd }));
    expect(await refusal(scene, scene.domain.setMemory(SIZE, { for: "1h" }))).toMatch(/can't have ".*a\$b" in it/);
  });
});

test("a dry run says when it would end, and arms nothing", async () => {
  const scene = await runningDomain();
  const report = await scene.domain.setMemory(SIZE, { for: "1h", dryRun: true });
  expect(report.end).toMatchObject({ key: null, timer: "systemd" });
  expect(report.notes.join()).toMatch(/^until .*: memory 300MiB, then 1GiB again; by a timer of systemd$/);
  expect([await timers.armed(), await endsOf(scene), scene.sent()]).toEqual([[], [], []]);
});

test("a change that fails leaves no timer, and one of which a part stays keeps its end", async () => {
  const scene = await runningDomain();
  const both = [
    { resource: "memory", size: SIZE },
    { resource: "vcpus", count: 3 },
  ] as const;
  refusing(scene);
  await failure(scene.domain.change(both, { for: "1h" }));
  expect([await timers.armed(), await endsOf(scene)]).toEqual([[], []]);
  await failure(scene.domain.change(both, { for: "1h", onFailure: "keep" }));
  expect(scene.qemu.plugged.size).toBe(3);
  const [end] = await endsOf(scene);
  expect(await timers.armed()).toEqual([`qmpctl-end-${end?.key}-1.timer`]);
  const { notes } = await comes(scene, end?.key ?? "");
  expect([scene.qemu.plugged.size, notes]).toEqual([2, ["memory: left at 300MiB, is 1GiB again already"]]);
});

test("of a machine that has ended nothing is taken back, whatever runs in its place", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  const key = await keyOf(scene);
  await scene.process.kill();
  const next = await runningDomain({ scene });
  next.qemu.actual = next.qemu.target = SIZE;
  expect(await endsOf(next)).toEqual([]);
  const report = await comes(next, key);
  expect([report.outcome, report.notes.join(), next.sent()]).toEqual([
    "unchanged",
    expect.stringMatching(/has ended: nothing is left/),
    [],
  ]);
  expect((await next.domain.info()).lastEnd?.notes.join()).toMatch(/has ended/);
});

test("destroy takes the timer away", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  await scene.domain.destroy();
  expect(await timers.armed()).toEqual([]);
});

test("an end that fails says why, keeps that for info, and its timer arms itself again a few times", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  const key = await keyOf(scene);
  const relent = refusing(scene);
  const failed = await failure(comes(scene, key), EndError);
  expect(failed).toMatchObject({ code: "rolled-back", again: expect.stringMatching(/Z$/) });
  expect(failed.message).toMatch(/it is tried again at/);
  expect(await timers.armed()).toContain(`qmpctl-end-${key}-2.timer`);
  expect((await endsOf(scene))[0]?.failure).toMatch(/everything is as it was/);
  const last = await failure(comes(scene, key, 6), EndError);
  expect([last.again, last.message]).toEqual([
    null,
    expect.stringMatching(/not tried again; `qmpctl revert web1 --end [0-9a-f]{12}` takes it back/),
  ]);
  // By hand it is not: a person sees it.
  expect(await failure(scene.domain.revert({ end: key }))).not.toBeInstanceOf(EndError);
  relent();
  expect((await comes(scene, key, 2)).outcome).toBe("applied");
});

test("while another writer has the machine it waits as changes do, and is tried again later", async () => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "1h" });
  const key = await keyOf(scene);
  await using _lock = await takeLock(scene, {});
  const failed = await failure(scene.domain.revert({ end: `${key}-1`, timeout: 50 }), EndError);
  expect([failed.code, await timers.armed()]).toEqual(["locked", [`qmpctl-end-${key}-1.timer`, `qmpctl-end-${key}-2.timer`]]);
});

describe("a change that was interrupted", () => {
  /** As a writer leaves it that dies before its end is written down: with its record, and the timer armed. */
  async function wreck(due?: string): Promise<RunningScene & { readonly key: string }> {
    const scene = await runningDomain();
    let record = "";
    scene.qemu.after("balloon", async () => void (record = await readFile(scene.books.journal, "utf8")));
    await scene.domain.setMemory(SIZE, { for: "1h" });
    const key = await keyOf(scene);
    const journal = JSON.parse(record) as { end: object };
    const end = due === undefined ? journal.end : { ...journal.end, due };
    await writeFile(scene.books.journal, JSON.stringify({ ...journal, end, writer: DEAD, started: 1 }));
    await writeFile(scene.books.ends, "{}");
    return { ...scene, key };
  }

  test("its timer takes nothing back that is not known to be made: it says so, and comes again", async () => {
    const scene = await wreck();
    const sent = scene.sent().length;
    expect((await failure(comes(scene, scene.key), EndError)).message).toMatch(/resolve it first.*it is tried again at/);
    expect(scene.sent().length).toBe(sent);
  });

  test.each(["finish", "forget"] as const)("recover --%s puts the end in force", async (how) => {
    const scene = await wreck();
    expect((await scene.domain.recover(how)).end).toMatch(/^until .*: memory 300MiB, then 1GiB again$/);
    expect((await endsOf(scene)).map(({ key }) => key)).toEqual([scene.key]);
    await comes(scene, scene.key);
    expect(scene.qemu.actual).toBe(GIB);
  });

  test("recover --undo takes the timer away", async () => {
    const scene = await wreck();
    expect((await scene.domain.recover("undo")).end).toMatch(/is cancelled/);
    expect([scene.qemu.actual, await endsOf(scene), await timers.armed()]).toEqual([GIB, [], []]);
  });

  test("an end that was due meanwhile comes soon after it was finished", async () => {
    const scene = await wreck("2026-01-01T00:00:00.000Z");
    expect((await scene.domain.recover("finish")).end).toMatch(/was due at .*, and comes at/);
    const [end] = await endsOf(scene);
    expect(Math.abs(Date.parse(end?.until ?? "") - Date.now() - 60_000)).toBeLessThan(30_000);
    expect(await timers.armed()).toContain(`qmpctl-end-${end?.key}-1.timer`);
  });
});

test("the figures of its memory say until when it has that by an end, so that balance leaves it alone", async () => {
  const scene = await runningDomain();
  await scene.domain.setVcpus(3, { for: "1h" });
  expect(observationOf("web1", await scene.domain.memory()).until).toBeUndefined();
  await scene.domain.setMemory(SIZE, { for: "8h" });
  const until = (await endsOf(scene)).find(({ items }) => items[0]?.resource === "memory")?.until;
  expect(until).toMatch(/^20/);
  expect(observationOf("web1", await scene.domain.memory()).until).toBe(until);
  // Nobody will take that back.
  await scene.domain.setMemory(2 * SIZE, { scope: "dynamic" });
  expect(observationOf("web1", await scene.domain.memory()).until).toBeUndefined();
});

test.each([
  ["is torn", (path: string) => writeFile(path, '{"ends":[{"key":')],
  ["is of a later version", (path: string) => writeFile(path, '{"ends":[{"key":"1"}],"last":null}')],
  ["is a link", (path: string) => rename(path, `${path}.1`).then(() => symlink(`${path}.1`, path))],
  ["is a folder", (path: string) => rm(path).then(() => mkdir(path))],
])("of a record that %s nobody says that nothing is to be taken back: its timer fails, and info tells why", async (_, spoil) => {
  const scene = await runningDomain();
  await scene.domain.setMemory(SIZE, { for: "8h" });
  const key = await keyOf(scene);
  await spoil(scene.books.ends);
  await expect(comes(scene, key)).rejects.toThrow(scene.books.ends);
  expect((await scene.domain.info()).endsUnreadable).toContain(scene.books.ends);
});
