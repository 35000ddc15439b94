import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { describe, expect, onTestFinished, test } from "vitest";
import { configOf, textOf } from "../../../scripts/lab/facts.ts";
import { FakeQemu } from "../../../scripts/lab/fake-qemu.ts";
import { toCommandLine } from "../../../src/config/argv.ts";
import { openFolder, runtimePaths } from "../../../src/config/runtime.ts";
import { readConfig, type Stored } from "../../../src/config/store.ts";
import { Domain } from "../../../src/domain/domain.ts";
import { findMachine, othersOf, type Whereabouts } from "../../../src/domain/machine/find.ts";
import { openBooks } from "../../../src/domain/machine/lock.ts";
import { placeOf } from "../../../src/domain/machine/place.ts";
import { type ProcessRecord, writeProcessRecord } from "../../../src/domain/machine/process-record.ts";
import { identify } from "../../../src/host/signal.ts";
import { startReplay } from "../../../src/testing/index.ts";
import { ownFolder } from "../../config/folder.ts";
import { runProgram, runStandIn, type StandInOptions } from "../../host/processes.ts";
import { definedDomain, failure, type Scene, takeLock } from "../scene.ts";

const OTHER = "ffffffff-2b3c-4f57-9d7c-0d4b5e6f7a8b";
const NOBODY = 1234;
const isRoot = userInfo().uid === 0;

async function storedOf({ place }: Scene): Promise<Stored> {
  if (place.config === null) throw new Error("no config");
  return readConfig(place.config);
}

async function find(scene: Scene): Promise<Whereabouts> {
  return findMachine(scene.place, await storedOf(scene));
}

/** The words that a start of this domain would have, with what is different. */
async function argvOf(
  scene: Scene,
  { id = scene.id, path = scene.place.config?.path ?? "", folder = scene.runtime.folder } = {},
): Promise<readonly string[]> {
  const { config } = await storedOf(scene);
  return toCommandLine(
    config,
    { control: join(folder, "control.sock"), watch: join(folder, "watch.sock"), pidfile: join(folder, "pid") },
    { id, path },
  );
}

/** A process with these words, or with those of a start. */
async function runs(scene: Scene, argv?: readonly string[], options?: StandInOptions): Promise<number> {
  return (await runStandIn(argv ?? (await argvOf(scene)), options)).pid;
}

async function recorded(scene: Scene, pid: number, more: Partial<ProcessRecord> = {}): Promise<void> {
  await openBooks(scene.books);
  const process = (await identify(pid)) ?? { pid, started: 1 };
  await writeProcessRecord(scene.books, {
    process,
    how: "started",
    config: scene.place.config?.path ?? "",
    folder: scene.runtime.folder,
    since: new Date().toISOString(),
    ...more,
  });
}

describe("the machine of a domain", () => {
  test("is stopped where no process runs it", async () => {
    const scene = await definedDomain();
    expect(await find(scene)).toEqual({ machine: null, hindrance: null, key: scene.id });
  });

  test("is found by its mark, whatever folder and login it was started from", async () => {
    const scene = await definedDomain();
    const elsewhere = runtimePaths(
      { ...scene.place.folders, runtime: join(scene.options.runtimeDir, "..", "of another login") },
      "web1",
    ).folder;
    const pid = await runs(scene, await argvOf(scene, { folder: elsewhere }));
    const { machine, hindrance, key } = await find(scene);
    expect([machine?.pid, machine?.id, machine?.known.folder, hindrance, key]).toEqual([pid, scene.id, elsewhere, null, scene.id]);
    // Its monitor is not there: it runs, and can only be ended.
    expect(await scene.domain.info()).toMatchObject({
      state: "unreachable",
      pid,
      reason: expect.stringContaining(`its monitor ${elsewhere}/control.sock is gone`) as string,
    });
    expect(await failure(scene.domain.start(), Error)).toMatchObject({ code: "refused", state: "running" });
    await scene.domain.destroy();
    expect(await find(scene)).toMatchObject({ machine: null });
  });

  test("is found where its config moved, by its id; without one by what it has for that", async () => {
    const scene = await definedDomain({ ...configOf(), id: OTHER });
    const pid = await runs(scene);
    const folder = await ownFolder();
    await rename(scene.place.config?.path ?? "", join(folder, "web1.json"));
    const place = await placeOf(join(folder, "web1.json"), scene.options);
    if (place.config === null) throw new Error("no config");
    expect(await findMachine(place, await readConfig(place.config))).toMatchObject({ key: OTHER, machine: { pid } });
  });

  test("is not the process of another machine, whatever that is called", async () => {
    const scene = await definedDomain();
    await runs(scene, await argvOf(scene, { id: OTHER, path: "/elsewhere/web1.json" }));
    expect(await find(scene)).toEqual({ machine: null, hindrance: null, key: scene.id });
  });

  test.each([
    ["reads its log", ["tail", "-f", "-n", "0"]],
    ["waits for it", ["timeout", "60", "qemu-system-x86_64"]],
    ["has its words behind a name that says nothing", ["vm"]],
  ])("is not a process that %s and has its words too", async (_what, program) => {
    const scene = await definedDomain();
    const [, ...words] = await argvOf(scene);
    const [argv0 = "", ...more] = program;
    await runs(scene, [argv0, ...more, ...words]);
    expect(await find(scene)).toEqual({ machine: null, hindrance: null, key: scene.id });
  });

  test("is a process with a name that says nothing where QEMU wrote that one's pid into its pidfile, and that listens where it says", async () => {
    const scene = await definedDomain();
    const [, ...words] = await argvOf(scene);
    await openFolder(scene.runtime.folder);
    const reader = await runs(scene, ["tail", ...words]);
    await writeFile(scene.runtime.pidfile, `${reader}\n`, { mode: 0o600 });
    expect(await find(scene)).toEqual({ machine: null, hindrance: null, key: scene.id });
    const pid = await runs(scene, ["vm", ...words], {
      does: `require("node:net").createServer().listen(${JSON.stringify(join(scene.runtime.folder, "control.sock"))}, () => console.log("up"))`,
    });
    await writeFile(scene.runtime.pidfile, `${pid}\n`, { mode: 0o600 });
    expect(await find(scene)).toMatchObject({ machine: { pid } });
  });

  test("that runs twice is one that nothing is done to but by hand", async () => {
    const scene = await definedDomain();
    const pids = [await runs(scene), await runs(scene)].sort((a, b) => a - b);
    const { machine, key } = await find(scene);
    expect([machine?.pid, machine?.known.obstacle, machine?.known.ours, key]).toEqual([
      pids[0],
      `it runs twice, as process ${pids[0]} and as process ${pids[1]}: end one of them`,
      false,
      scene.id,
    ]);
    for (const work of [() => scene.domain.destroy(), () => scene.domain.shutdown(), () => scene.domain.start()])
      expect(await failure(work(), Error)).toMatchObject({ code: "refused", message: expect.stringContaining("it runs twice") as string });
    for (const pid of pids) expect(await identify(pid)).toBeDefined();
  });

  test("is the innermost of programs that hand its words on", async () => {
    const scene = await definedDomain();
    const argv = await argvOf(scene);
    const inner = `const { argv } = process; const child = require("node:child_process").spawn(process.execPath, ["-e", "process.stdin.resume()", ...argv.slice(1)], { argv0: "qemu-system-x86_64", stdio: ["pipe", "ignore", "inherit"] }); console.log(child.pid)`;
    const outer = await runStandIn(argv, { does: inner });
    const pid = Number(outer.said);
    onTestFinished(() => void kill(pid, "SIGKILL"));
    // It shows its own command line a moment after it is there.
    await expect.poll(async () => (await readFile(`/proc/${pid}/cmdline`, "utf8")).startsWith("qemu-system")).toBe(true);
    expect(await find(scene)).toMatchObject({
      machine: { pid, known: { obstacle: expect.stringContaining("its monitor") as string, ours: true } },
    });
  });

  test("is not the child that QEMU has just forked, before that becomes another program", async () => {
    const scene = await definedDomain();
    const fork = `const { env, execPath, stdin } = process; const [argv0, ...words] = require("node:fs").readFileSync("/proc/self/cmdline", "utf8").replace(/\\0$/, "").split("\\0");
      if (env.FORKED) stdin.resume(); else console.log(require("node:child_process").spawn(execPath, words, { argv0, env: { ...env, FORKED: "1" }, stdio: ["pipe", "ignore", "inherit"] }).pid);`;
    const outer = await runStandIn(await argvOf(scene), { does: fork });
    const pid = Number(outer.said);
    onTestFinished(() => void kill(pid, "SIGKILL"));
    await expect.poll(async () => (await readFile(`/proc/${pid}/cmdline`, "utf8")).startsWith("qemu-system")).toBe(true);
    expect(await find(scene)).toMatchObject({ machine: { pid: outer.pid, known: { ours: true } } });
    expect(await othersOf(await storedOf(scene), outer.pid)).toEqual([]);
    // Who starts it at this moment sees both.
    expect(await othersOf(await storedOf(scene), 0)).toMatchObject([{ pid: outer.pid }]);
  });

  test("is not one that ended between the look at its process and the look for its config", async () => {
    const scene = await definedDomain();
    const argv = await argvOf(scene, { path: "/nowhere/web1.json" });
    const pid = await runs(scene, argv);
    const seen = { ...((await identify(pid)) ?? { pid, started: 1 }), parent: 1, uid: userInfo().uid, argv };
    // Still there: a config that was moved.
    expect(await find(scene)).toMatchObject({ machine: { pid } });
    kill(pid, "SIGKILL");
    await expect.poll(() => identify(pid)).toBeUndefined();
    expect(await findMachine({ ...scene.place, processes: () => Promise.resolve([seen]) }, await storedOf(scene))).toMatchObject({
      machine: null,
      hindrance: null,
    });
  });

  test.runIf(isRoot)("that somebody else runs is told, and nothing is done to it", async () => {
    const scene = await definedDomain();
    const pid = await runs(scene, undefined, { uid: NOBODY });
    expect(await find(scene)).toMatchObject({
      machine: { pid, known: { obstacle: `process ${pid}, which says that it is this machine, belongs to user ${NOBODY}`, ours: false } },
    });
    expect(await failure(scene.domain.destroy(), Error)).toMatchObject({
      code: "refused",
      message: expect.stringContaining(`belongs to user ${NOBODY}`) as string,
    });
    expect(await identify(pid)).toBeDefined();
  });
});

describe("a process that was written down", () => {
  test("is the machine as long as it is that process, in that run of the host", async () => {
    const scene = await definedDomain();
    const pid = await runs(scene);
    await recorded(scene, pid);
    expect(await find(scene)).toMatchObject({ machine: { pid } });
    await recorded(scene, pid, { process: { pid, started: 1 } });
    expect(await find(scene)).toMatchObject({ machine: { pid } }); // found by its mark
  });

  test.each(["not the one that it was", "another run of the host"])("is nobody when it is %s", async (what) => {
    const scene = await definedDomain();
    const other = await runProgram("sh", "-c", "echo up; exec cat");
    await recorded(
      scene,
      other.pid,
      what.startsWith("not") ? { process: { pid: other.pid, started: 1 }, how: "adopted" } : { how: "adopted" },
    );
    if (!what.startsWith("not"))
      await writeFile(scene.books.process, (await readFile(scene.books.process, "utf8")).replace(/"boot":"[^"]*"/, '"boot":"before"'));
    expect(await find(scene)).toMatchObject({ machine: null });
  });

  test("is the machine without a mark only where it was adopted", async () => {
    const scene = await definedDomain();
    const other = await runProgram("sh", "-c", "echo up; exec cat");
    await recorded(scene, other.pid, { how: "adopted", folder: null });
    expect(await find(scene)).toMatchObject({
      machine: { pid: other.pid, id: null },
      key: expect.stringMatching(new RegExp(`^process-${other.pid}-\\d+$`)) as string,
    });
    await recorded(scene, other.pid, { how: "started" });
    expect(await find(scene)).toMatchObject({ machine: null });
  });

  test("with the mark of another machine is that one's", async () => {
    const scene = await definedDomain();
    for (const how of ["started", "adopted"] as const) {
      await recorded(scene, await runs(scene, await argvOf(scene, { id: OTHER, path: "/elsewhere/web1.json" })), { how });
      expect(await find(scene)).toMatchObject({ machine: null });
    }
  });

  test.each(["", "{", "null", "[]", '{"process":{"pid":"1"}}'])("counts as none where its record is damaged to %j", async (text) => {
    const scene = await definedDomain();
    const pid = await runs(scene);
    await openBooks(scene.books);
    await writeFile(scene.books.process, text);
    expect(await find(scene)).toMatchObject({ machine: { pid } });
  });
});

describe("a config that was copied, id and all", () => {
  test("is not the machine that runs, and can't be started before it has an id of its own", async () => {
    const scene = await definedDomain({ ...configOf(), id: OTHER });
    const pid = await runs(scene);
    const copy = await definedDomain({ ...configOf(), id: OTHER, name: "copy" }, "copy", scene.options);
    const why = `its config has the id of web1 (${scene.place.config?.path}), which process ${pid} runs: remove the key "id" from a copied config`;
    expect(await find(copy)).toEqual({ machine: null, hindrance: why, key: OTHER });
    expect(await copy.domain.info()).toMatchObject({ state: "stopped", reason: why });
    expect(await failure(copy.domain.start(), Error)).toMatchObject({ code: "refused", message: `copy: ${why}` });
    expect(await failure(copy.domain.destroy(), Error)).toMatchObject({ code: "refused" });
    expect(await identify(pid)).toBeDefined();
    expect(await find(scene)).toMatchObject({ machine: { pid } });
  });
});

describe("a QEMU that nobody marked", () => {
  const own = (scene: Scene): string => join(scene.options.runtimeDir, "own.sock");

  test("is the machine by its name and its words, and its lock is its process's", async () => {
    const scene = await definedDomain();
    // Its words, but for those that Node needs to stand in.
    const pid = await runs(scene, ["qemu-system-x86_64", "-name", "web1", "-m", "7G"]);
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8")).replace(/\0$/, "").split("\0").slice(1, 4);
    await writeFile(scene.place.config?.path ?? "", textOf(configOf({ args: words })), { mode: 0o600 });
    const { machine, key } = await find(scene);
    expect([machine?.pid, machine?.id, machine?.known.obstacle, key]).toEqual([
      pid,
      null,
      expect.stringContaining("without a QMP monitor"),
      `process-${pid}-${machine?.process?.started}`,
    ]);
  });

  test.runIf(isRoot)("and that somebody else runs is no reason not to start ours", async () => {
    const scene = await definedDomain();
    const monitor = own(scene);
    await writeFile(scene.place.config?.path ?? "", JSON.stringify({ ...(JSON.parse(textOf(configOf())) as object), monitor }), {
      mode: 0o600,
    });
    await runs(scene, ["qemu-system-x86_64", "-name", "web1", "-qmp", `unix:${monitor},server=on`], { uid: NOBODY });
    expect(await find(scene)).toMatchObject({ machine: null, hindrance: null });
  });

  /** Somebody answers at the config's own monitor, and no process shows that it is it. */
  async function answering(name: string | null, id?: (scene: Scene) => string): Promise<{ readonly scene: Scene; readonly path: string }> {
    const folder = await ownFolder();
    const path = join(folder, "own.sock");
    const scene = await definedDomain({ ...configOf(), monitor: path });
    const qemu = new FakeQemu([], { name, ...(id === undefined ? {} : { id: id(scene) }) });
    qemu.plugged.clear();
    const server = await startReplay({
      answers: qemu.answers as Record<string, (args: unknown) => unknown>,
      monitors: [{ name: "own", address: `unix:${path}` }],
    });
    onTestFinished(() => server.close());
    return { scene, path };
  }

  test("and whose process can't be seen is the machine where it proves to be", async () => {
    for (const [name, id] of [
      ["web1", undefined],
      ["anything", (scene: Scene) => scene.id],
    ] as const) {
      const { scene, path } = await answering(name, id);
      const { machine, hindrance, key } = await find(scene);
      expect([machine?.process, machine?.known.control, hindrance, key]).toEqual([null, `unix:${path}`, null, scene.id]);
      expect(await scene.domain.info()).toMatchObject({ state: "running" });
    }
  });

  test("and is another is in the way of a start, and told by its name, with how to adopt it", async () => {
    const { scene, path } = await answering("db");
    const why = `the QEMU that answers at unix:${path} is "db"; to make it a domain of its own: qmpctl define --pid PID --name NAME`;
    expect(await find(scene)).toEqual({ machine: null, hindrance: why, key: scene.id });
    expect(await scene.domain.info()).toMatchObject({ state: "stopped", reason: why });
    expect(await failure(scene.domain.start(), Error)).toMatchObject({ code: "refused", message: `web1: ${why}` });
    expect(await failure(scene.domain.setMemory(2 ** 30, { scope: "dynamic" }), Error)).toMatchObject({ code: "refused" });
  });

  test("and carries another mark is in the way too, though it has the same name", async () => {
    const { scene, path } = await answering("web1", () => OTHER);
    expect(await find(scene)).toMatchObject({
      machine: null,
      hindrance: `the QEMU that answers at unix:${path} is "web1" (marked qmpctl-${OTHER}); address it by its own name`,
    });
  });

  test("and listens at the config's monitor is named by its process, where that can be seen", async () => {
    const scene = await definedDomain();
    const monitor = own(scene);
    await mkdir(scene.options.runtimeDir, { recursive: true });
    await writeFile(scene.place.config?.path ?? "", JSON.stringify({ ...(JSON.parse(textOf(configOf())) as object), monitor }), {
      mode: 0o600,
    });
    const pid = await runs(scene, ["qemu-system-x86_64", "-name", "db", "-qmp", `unix:${monitor},server=on`]);
    const server = createServer().listen(monitor);
    onTestFinished(() => void server.close());
    expect(await find(scene)).toMatchObject({
      machine: null,
      hindrance: `its monitor ${monitor} is that of "db" (process ${pid}), which is adopted by qmpctl define --pid ${pid} --name NAME`,
    });
  });

  test("is not there where its socket is left behind, or no socket at all", async () => {
    const { scene, path } = await answering("web1");
    await rm(path);
    expect(await find(scene)).toMatchObject({ machine: null, hindrance: null });
    await writeFile(path, "");
    expect(await find(scene)).toMatchObject({ machine: null, hindrance: `there is something else at its monitor ${path}` });
  });
});

describe("one machine has one lock", () => {
  test("by its name, by the path of its config, through a link, and by each of its monitors in any spelling", async () => {
    const scene = await definedDomain();
    await openFolder(scene.runtime.folder);
    const { control, watch, folder } = scene.runtime;
    const does = `const { createServer } = require("node:net"); createServer().listen(${JSON.stringify(watch)}); createServer().listen(${JSON.stringify(control)}, () => console.log("up"))`;
    const pid = await runs(scene, undefined, { does });
    for (const name of [
      "web1",
      scene.place.config?.path ?? "",
      `unix:${control}`,
      `unix:${watch}`,
      `unix:${folder}/../web1/control.sock`,
      `unix:${folder}//control.sock`,
    ]) {
      const place = await placeOf(name, scene.options);
      const { machine, key } = await findMachine(place, place.config === null ? null : await readConfig(place.config));
      expect([name, machine?.pid, key]).toEqual([name, pid, scene.id]);
    }
  });

  test("by a port too", async () => {
    const does = `const server = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(server.address().port))`;
    const { pid, said } = await runStandIn(["qemu-system-x86_64", "-name", "db"], { does });
    const { place } = await definedDomain();
    for (const host of ["127.0.0.1", "localhost"])
      expect((await findMachine({ ...place, address: `tcp:${host}:${said}`, config: null }, null)).machine?.pid).toBe(pid);
  });

  test("whose address nobody listens at on this host is that of the address", async () => {
    const { place } = await definedDomain();
    const at = async (address: string): Promise<string> => (await findMachine({ ...place, address, config: null }, null)).key;
    const keys = [
      await at("unix:/nowhere/a.sock"),
      await at("unix:/nowhere/b.sock"),
      await at("exec:ssh host socat - UNIX-CONNECT:/a.sock"),
      await at("plain-tcp:192.0.2.1:4444"),
    ];
    expect(new Set(keys).size).toBe(4);
    for (const key of keys) expect(key).toMatch(/^monitor-[0-9a-f]{12}$/);
  });

  test("and behind a program that passes on to it, the machine is not that program", async () => {
    const scene = await definedDomain();
    const path = join(await ownFolder(), "passed-on.sock");
    const { pid } = await runStandIn(["socat", `UNIX-LISTEN:${path},fork`, `UNIX-CONNECT:${scene.runtime.control}`], {
      does: `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`,
    });
    const { machine, key } = await findMachine({ ...scene.place, address: `unix:${path}`, config: null }, null);
    expect([pid > 0, machine?.process, key]).toEqual([true, null, expect.stringMatching(/^monitor-[0-9a-f]{12}$/)]);
    await expect(machine?.signal("SIGTERM")).rejects.toThrow(/its process is not known on this host/);
  });

  test("and a change by its monitor waits for the one by its name", async () => {
    const scene = await definedDomain();
    await openFolder(scene.runtime.folder);
    const { control } = scene.runtime;
    await runs(scene, undefined, {
      does: `require("node:net").createServer().listen(${JSON.stringify(control)}, () => console.log("up"))`,
    });
    const byMonitor = await Domain.open(`unix:${control}`, scene.options);
    await using _held = await takeLock(scene, { timeout: 0, holder: "the one by its name" });
    for (const work of [
      () => byMonitor.setMemory(2 ** 30, { timeout: 50 }),
      () => byMonitor.suspend({ timeout: 50 }),
      () => byMonitor.shutdown({ timeout: 50 }),
      () => byMonitor.recover("undo", { timeout: 50 }),
    ]) {
      expect(await failure(work(), Error)).toMatchObject({
        code: "locked",
        path: scene.books.lock,
        holder: { command: "the one by its name" },
      });
    }
  });
});
