import { watch } from "node:fs";
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import { ChangeError } from "../../../src/domain/change/errors.ts";
import { InterruptedError } from "../../../src/domain/change/interrupted-error.ts";
import { openBooks } from "../../../src/domain/machine/lock.ts";
import type { ChangeOptions } from "../../../src/domain/model/change.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { formatCpuList } from "../../../src/host/cpulist.ts";
import { identify } from "../../../src/host/signal.ts";
import { onlineCpus, readAffinity, setAffinity } from "../../../src/host/taskset.ts";
import { threadsOf } from "../../../src/host/threads.ts";
import { definedDomain, runningDomain, type RunningScene, takeLock } from "../scene.ts";

const TARGET = 300 * MIB;
const memory: Change = { resource: "memory", size: TARGET };
const vcpus = (count: number): Change => ({ resource: "vcpus", count });
/** A process that is no more, and was not this one. */
const DEAD = 2 ** 22 + 1;

interface Wreck extends RunningScene {
  readonly before: string;
  readonly after: string;
  journal(): Promise<string | null>;
}

/**
 * A domain as a writer leaves it that dies in the middle: the record as it stood just before the config was to be replaced,
 * the machine after as many commands as `steps` says, the config old or new.
 */
async function wreck(
  changes: readonly Change[],
  { committed = false, options = { scope: "both" } as ChangeOptions, scene: given = undefined as RunningScene | undefined } = {},
): Promise<Wreck> {
  const scene = given ?? (await runningDomain());
  const before = await scene.text();
  const path = scene.books.journal;
  let record = "";
  const keep = async (): Promise<void> => void (record = await readFile(path, "utf8"));
  for (const command of ["device_add", "balloon", "device_del"]) scene.qemu.after(command, keep);
  await scene.domain.change(changes, options);
  const after = await scene.text();
  await writeFile(path, ofDeadWriter(record));
  if (!committed) await writeFile(scene.place.config?.path ?? "", before);
  return { ...scene, before, after, journal: () => readFile(path, "utf8").catch(() => null) };
}

/** The record as it is when its writer is no more. */
function ofDeadWriter(record: string): string {
  return JSON.stringify({ ...(JSON.parse(record) as object), writer: DEAD, started: 1 });
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => error,
  );
}

describe("a change whose writer died", () => {
  test("stands in the way of others, which are told how both halves stand", async () => {
    const { domain, text, sent, before } = await wreck([memory]);
    const commands = sent().length;
    const error = await failure(domain.setVcpus(3));
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error).toMatchObject({
      code: "refused",
      message: `web1: a change was interrupted: process ${DEAD} died during it (since ${(error as InterruptedError).interrupted.since}): memory to 300MiB (live 1GiB before, 300MiB now; config 1GiB before, 1GiB now); resolve it first: qmpctl recover web1 --finish, or --undo, or --forget`,
      interrupted: {
        committed: false,
        sameMachine: true,
        scope: "both",
        changes: [{ wanted: TARGET, before: { config: GIB, live: GIB }, now: { config: GIB, live: TARGET } }],
      },
    });
    for (const work of [
      () => domain.setMemory(GIB, { scope: "static" }),
      () => domain.revert(),
      () => domain.persist(),
      () => domain.apply({ vcpus: { current: 3 } }),
    ])
      expect(await failure(work())).toBeInstanceOf(InterruptedError);
    expect([sent().length, await text()]).toEqual([commands, before]);
  });

  test("leaves reading as it was, and is told by info", async () => {
    const { domain, before } = await wreck([memory]);
    expect(await domain.info()).toMatchObject({
      state: "running",
      live: { memory: TARGET },
      interrupted: expect.stringContaining("memory to 300MiB") as string,
    });
    expect(await domain.vcpus()).toHaveLength(4);
    expect((await domain.diff()).length).toBeGreaterThan(0);
    expect(await domain.config()).toBe(before);
    const first = expect.stringMatching(/^a change was interrupted: .*; resolve it first: qmpctl recover/) as string;
    expect(await domain.setMemory(GIB, { dryRun: true })).toMatchObject({ outcome: "planned", toResolve: first, notes: [first] });
    expect(await domain.interrupted()).toMatchObject({ writer: DEAD, committed: false });
  });

  test("that somebody is still at, though its lock is free, is nobody else's to resolve", async () => {
    const { domain, books, sent, text, before } = await wreck([memory]);
    const own = await identify(process.pid);
    const record = JSON.stringify({
      ...(JSON.parse(await readFile(books.journal, "utf8")) as object),
      writer: own?.pid,
      started: own?.started,
    });
    await writeFile(books.journal, record);
    const commands = sent().length;
    for (const work of [() => domain.setVcpus(3), () => domain.recover("undo"), () => domain.recover("forget"), () => domain.interrupted()])
      expect(await failure(work())).toMatchObject({ code: "locked", holder: { pid: process.pid } });
    expect([sent().length, await text(), await readFile(books.journal, "utf8")]).toEqual([commands, before, record]);
  });

  test("does not keep the monitor when it was looked at: the next one is answered at once", async () => {
    const { domain, monitor } = await wreck([memory]);
    await domain.interrupted();
    const said = monitor.said.length;
    const start = performance.now();
    await (await domain.connect({ timeout: 1000 })).close();
    expect(performance.now() - start).toBeLessThan(1000);
    expect(monitor.said.length).toBeGreaterThan(said);
  });

  test("that is under way is not told as one", async () => {
    const scene = await runningDomain();
    let seen: unknown = "nothing";
    scene.qemu.after("balloon", async () => (seen = (await scene.domain.info()).interrupted));
    await scene.domain.setMemory(TARGET);
    expect(seen).toBeUndefined();
    expect(await scene.domain.interrupted()).toBeNull();
  });
});

describe.each([false, true])("an interrupted change (config replaced: %s)", (committed) => {
  test("is finished: both halves are what was wanted", async () => {
    const { domain, qemu, text, after, journal } = await wreck([vcpus(3), memory], { committed });
    expect(await domain.recover("finish")).toMatchObject({
      how: "finish",
      interrupted: { committed },
      reports: [{ outcome: committed ? "unchanged" : "applied" }],
    });
    expect([qemu.actual, qemu.plugged.size, await text(), await journal()]).toEqual([TARGET, 3, after, null]);
    expect(await domain.setVcpus(4)).toMatchObject({ outcome: "applied" });
  });

  test("is undone: both halves are what they were, the config byte for byte", async () => {
    const { domain, qemu, text, before, journal } = await wreck([vcpus(3), memory], { committed });
    expect(await domain.recover("undo")).toMatchObject({ restoredConfig: committed, reports: [{ outcome: "applied" }] });
    expect([qemu.actual, qemu.plugged.size, await text(), await journal()]).toEqual([GIB, 2, before, null]);
    expect((await domain.diff()).filter(({ why }) => why !== null)).toEqual([]);
  });

  test("is forgotten: nothing is touched", async () => {
    const { domain, qemu, text, before, after, journal, sent } = await wreck([vcpus(3), memory], { committed });
    const commands = sent().length;
    expect(await domain.recover("forget")).toMatchObject({ reports: [], restoredConfig: false });
    expect([qemu.actual, qemu.plugged.size, await text(), await journal(), sent().length]).toEqual([
      TARGET,
      3,
      committed ? after : before,
      null,
      commands,
    ]);
  });

  test("stays to be settled after a dry run", async () => {
    const { domain, journal, sent, text, before, after } = await wreck([memory], { committed });
    const commands = sent().length;
    for (const how of ["finish", "undo", "forget"] as const) await domain.recover(how, { dryRun: true });
    expect([sent().length, await text(), await journal()]).toEqual([commands, committed ? after : before, expect.any(String)]);
  });
});

describe("a recovery", () => {
  test("has nothing to do where nothing was interrupted, and says so", async () => {
    for (const { domain } of [await definedDomain(), await runningDomain()]) {
      expect(await failure(domain.recover("undo"))).toMatchObject({
        code: "refused",
        message: "web1: no change of it was interrupted, there is nothing to recover",
      });
      expect(await domain.interrupted()).toBeNull();
    }
  });

  test("that fails leaves the change to be settled, and can be asked for again", async () => {
    const { domain, qemu, journal, text, before } = await wreck([vcpus(3), memory]);
    const works = qemu.answers["balloon"];
    qemu.refuses("balloon", "not now");
    const error = await failure(domain.recover("undo"));
    expect(error).toBeInstanceOf(ChangeError);
    expect(await journal()).not.toBeNull();
    expect(await failure(domain.setVcpus(4))).toBeInstanceOf(InterruptedError);
    qemu.answers["balloon"] = works as (args: never) => unknown;
    await domain.recover("undo");
    expect([qemu.actual, qemu.plugged.size, await text(), await journal()]).toEqual([GIB, 2, before, null]);
  });

  test("that finishes after an undo went half way has both halves as wanted", async () => {
    const { domain, qemu, text, after } = await wreck([vcpus(3), memory], { committed: true });
    qemu.refuses("balloon", "not now", ({ value }: { value: number }) => value === GIB);
    await failure(domain.recover("undo"));
    await domain.recover("finish");
    expect([qemu.actual, qemu.plugged.size, await text()]).toEqual([TARGET, 3, after]);
  });

  test("of a machine that is gone settles the config alone", async () => {
    for (const how of ["finish", "undo"] as const) {
      const scene = await wreck([memory], { committed: how === "undo" });
      await scene.process.kill();
      await scene.monitor.exit();
      expect(await scene.domain.info()).toMatchObject({
        state: "stopped",
        interrupted: expect.stringContaining("memory to 300MiB") as string,
      });
      expect(await scene.domain.recover(how)).toMatchObject({ interrupted: { sameMachine: false }, settled: ["static"] });
      expect(await scene.text()).toBe(how === "finish" ? scene.after : scene.before);
      expect(await scene.journal()).toBeNull();
    }
  });

  test("of a machine that was started anew leaves the new one alone", async () => {
    const { domain, books, text, before, sent } = await wreck([memory], { committed: true });
    const record = JSON.parse(await readFile(books.journal, "utf8")) as { machine: { started: number } };
    record.machine.started -= 1;
    await writeFile(books.journal, JSON.stringify(record));
    const commands = sent().length;
    expect(await domain.recover("undo")).toMatchObject({ interrupted: { sameMachine: false }, reports: [], restoredConfig: true });
    expect([await text(), sent().length]).toEqual([before, commands]);
  });

  test("keeps what somebody edited meanwhile, and puts back the values of the change only", async () => {
    const { domain, text, qemu, after, place } = await wreck([memory], { committed: true });
    await writeFile(place.config?.path ?? "", after.replace('"max": 4', '"max": 3'));
    expect(await domain.recover("undo")).toMatchObject({
      restoredConfig: false,
      reports: [{ scope: "dynamic" }, { scope: "static", outcome: "applied" }],
    });
    expect([JSON.parse(await text()), qemu.actual]).toMatchObject([{ memory: { current: "1GiB" }, vcpus: { max: 3 } }, GIB]);
  });

  test("of an unplug that the guest still thinks about can't go back, and says so", async () => {
    const scene = await runningDomain();
    await scene.domain.setVcpus(3, { scope: "both" });
    scene.qemu.guestObeys = false;
    const stop = new AbortController();
    let record = "";
    scene.qemu.after("device_del", async () => {
      record = await readFile(scene.books.journal, "utf8");
      stop.abort(new Error("enough"));
    });
    const error = await failure(scene.domain.setVcpus(2, { scope: "both", signal: stop.signal }));
    expect(error).toMatchObject({
      code: "partial",
      report: {
        steps: [
          { outcome: "undo-failed", reason: expect.stringMatching(/accepted the unplug of vCPU 2 and can't take it back/) as string },
        ],
      },
    });
    await writeFile(scene.books.journal, ofDeadWriter(record));
    expect(await failure(scene.domain.recover("undo"))).toMatchObject({
      code: "refused",
      message: expect.stringMatching(/asked to let go of vCPU 2 and has not done it yet; QEMU can't take that back/) as string,
    });
    expect(await scene.domain.interrupted()).not.toBeNull();
    scene.qemu.letGo("vcpu2");
    scene.qemu.guestObeys = true;
    await scene.domain.recover("undo");
    expect([...scene.qemu.plugged.keys()].sort()).toEqual([0, 1, 2]);
  });

  test("sweeps what dead writers left beside the config", async () => {
    const { domain, place, files } = await wreck([memory]);
    await writeFile(join(dirname(place.config?.path ?? ""), ".web1.json.0123456789ab.new"), "half");
    await domain.recover("forget");
    expect(await files()).toEqual(["web1.json"]);
  });

  test("waits for its turn", async () => {
    const scene = await wreck([memory]);
    await using _held = await takeLock(scene, { timeout: 0, holder: "the one before" });
    expect(await failure(scene.domain.recover("undo", { timeout: 50 }))).toMatchObject({ code: "locked" });
  });
});

describe("an undo", () => {
  test("gives a vCPU that comes back the mask that it had, though no config has it", async () => {
    const scene = await runningDomain();
    const [, , thread] = await threadsOf(scene.process.pid);
    const tid = thread?.tid ?? 0;
    const [all, [cpu = 0]] = [await readAffinity(tid), [...(await onlineCpus())]];
    await scene.domain.pinVcpu(1, String(cpu), { scope: "dynamic" });
    const { domain, qemu } = await wreck([vcpus(1)], { scene });
    // As a new thread has it.
    await setAffinity(tid, all);
    await domain.recover("undo");
    expect([qemu.plugged.size, formatCpuList(await readAffinity(tid))]).toEqual([2, String(cpu)]);
  });

  test("goes back to the target that a guest on its way had", async () => {
    const scene = await runningDomain();
    scene.qemu.guestObeys = false;
    await scene.domain.setMemory(GIB / 2, { timeout: 1000 });
    const { domain, sent } = await wreck([memory], { scene, options: { scope: "both", timeout: 1000 } });
    await domain.recover("undo", { timeout: 1000 });
    expect(sent().map((line) => line.replace(/\D/g, ""))).toEqual([String(GIB / 2), String(TARGET), String(GIB / 2)]);
  });
});

describe("a record that is damaged", () => {
  test("stops changes and recoveries, which name its file, and not those who read", async () => {
    const { domain, books, qemu } = await wreck([memory]);
    await writeFile(books.journal, "{");
    for (const work of [() => domain.setVcpus(3), () => domain.recover("undo"), () => domain.interrupted()])
      expect(await failure(work())).toMatchObject({
        code: "config",
        message: expect.stringContaining(`${books.journal}: not a record`) as string,
      });
    expect(await domain.info()).toMatchObject({
      state: "running",
      interrupted: expect.stringContaining("not a record of a change") as string,
    });
    expect(qemu.plugged.size).toBe(2);
  });

  test.each([
    ["cut", "{"],
    ["of another shape", "[]"],
    ["not text", Buffer.from([0xff, 0xfe, 0x00])],
  ])("(%s) can be forgotten, and what is lost with it is told", async (_how, bytes) => {
    const { domain, books, qemu, text, before, journal } = await wreck([memory]);
    await writeFile(books.journal, bytes);
    expect(await failure(domain.recover("undo"))).toMatchObject({
      code: "config",
      message: expect.stringMatching(/then qmpctl recover web1 --forget$/) as string,
    });
    expect(await domain.recover("forget", { dryRun: true })).toMatchObject({ interrupted: null, dryRun: true });
    expect(await journal()).not.toBeNull();
    expect(await domain.recover("forget")).toMatchObject({
      how: "forget",
      interrupted: null,
      settled: [],
      reports: [],
      lost: expect.stringMatching(/which change it was, who made it, and what both halves had before it are lost/) as string,
    });
    expect([await journal(), qemu.actual, await text()]).toEqual([null, TARGET, before]);
    expect(await domain.setVcpus(3)).toMatchObject({ outcome: "applied" });
  });

  test.each([
    ["a link", (path: string, victim: string) => symlink(victim, path)],
    ["a folder with something in it", (path: string) => mkdir(join(path, "in"), { recursive: true })],
    ["for everybody to write", (path: string) => writeFile(path, "{").then(() => chmod(path, 0o666))],
  ])("as it is %s, stops changes, and can be forgotten; what a link leads to is not touched", async (_what, plant) => {
    const { domain, books, options } = await definedDomain();
    await openBooks(books);
    const victim = join(options.configDir, "victim");
    await writeFile(victim, "{", { mode: 0o600 });
    await plant(books.journal, victim);
    for (const work of [() => domain.setVcpus(3), () => domain.recover("undo")])
      expect(await failure(work())).toMatchObject({
        code: "config",
        message: expect.stringMatching(/^\S+journal: not a record .* then qmpctl recover web1 --forget$/) as string,
      });
    expect(await domain.recover("forget")).toMatchObject({ how: "forget", lost: expect.any(String) as string });
    expect([await readFile(victim, "utf8"), (await readdir(books.folder)).includes("journal")]).toEqual(["{", false]);
    expect(await domain.setVcpus(3)).toMatchObject({ outcome: "applied" });
  });
});

test("a change of the config alone keeps no record: there is nothing that could be half done", async () => {
  const { domain, books } = await definedDomain(configOf());
  await openBooks(books);
  const seen = new Set<string | null>();
  const watcher = watch(books.folder, (_, name) => void seen.add(name));
  onTestFinished(() => watcher.close());
  expect(await domain.setVcpus(3)).toMatchObject({ outcome: "applied" });
  expect([...seen]).not.toContain("journal");
});
