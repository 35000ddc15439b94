import { execFileSync, spawnSync } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { maskOf, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { readAffinity } from "../../src/host/taskset.ts";

const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
/** Three masks that differ, on any host with two CPUs. */
const MASKS = ["0", "1", "0-1"] as const;
/** Policies that starve nobody. */
const POLICIES = ["batch", "idle", "other"] as const;
const IO0: readonly string[] = ["-object", "iothread,id=io0"];
/** A device that uses it. */
const USER: readonly string[] = ["-device", "virtio-scsi-pci,id=scsi0,iothread=io0"];

// How each change ends in each scope: "static half / dynamic half", or the halves that refuse.
const done = ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"];
const RUNNING = {
  "iothread-pin": done,
  "vhost-pin": ["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"],
  "vcpu-sched": done,
  "emulator-sched": done,
  "iothread-sched": done,
};
const stopped = ["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"];
const STOPPED = Object.fromEntries(Object.keys(RUNNING).map((resource) => [resource, stopped]));
const transient = ["skipped/applied", "refused: static", "skipped/applied", "refused: static"];
const TRANSIENT = {
  "iothread-pin": transient,
  "vhost-pin": ["refused: dynamic", "refused: static", "refused: dynamic", "refused: static+dynamic"],
  "vcpu-sched": transient,
  "emulator-sched": transient,
  "iothread-sched": transient,
};

describe.each(await qemusInTime())("threads on QEMU $version", (qemu) => {
  test("each change in each scope of a paused machine, of a running one, and of a stopped one", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.start({ paused: true });
    const walk = { turn: 0 };
    expect(await everyChange(scene.domain, walk)).toEqual(RUNNING);
    expect(await iothreads(scene)).toMatchObject({ io0: MASKS[3 % 3] });
    await scene.domain.resume();
    expect(await everyChange(scene.domain, walk)).toEqual(RUNNING);
    await scene.domain.destroy();
    walk.turn++;
    expect(await everyChange(scene.domain, walk)).toEqual(STOPPED);
    expect(await scene.config()).toMatchObject({
      vcpus: { sched: { 0: "idle" } },
      threads: { iothreads: { io0: "1" }, vhost: "1", emulatorSched: "idle", iothreadsSched: { io0: "idle" } },
    });
  });

  test("each change in each scope of a transient machine", async () => {
    await using machine = await launch(qemu.binary, ["-machine", "q35,accel=tcg", "-nodefaults", "-S", ...IO0]);
    await using folder = await privateFolder();
    const domain = await Domain.open(`unix:${machine.monitors[0] ?? ""}`, {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await everyChange(domain, { turn: 0 })).toEqual(TRANSIENT);
  });

  test("a start gives an iothread its pin, and keeps that of one that is not there", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.domain.change(
      [
        { resource: "iothread-pin", iothread: "io0", cpus: "1" },
        { resource: "iothread-pin", iothread: "io9", cpus: "0" },
        { resource: "vhost-pin", cpus: "0" },
      ],
      { scope: "static" },
    );
    await scene.start({ paused: true });
    expect(await iothreads(scene)).toEqual({ io0: "1" });
    expect(await scene.domain.diff()).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ resource: "iothread-pin io0", config: "1", live: "1", why: null }),
        expect.objectContaining({ resource: "iothread-pin io9", config: "0", live: null, why: "applied when the iothread is added" }),
        expect.objectContaining({ resource: "vhost-pin", config: "0", live: null }),
      ]) as unknown[],
    );
    await scene.domain.change({ resource: "iothread-pin", iothread: "io0", cpus: "0" }, { scope: "dynamic" });
    await scene.domain.revert({ resource: "iothread-pin" });
    expect(await iothreads(scene)).toEqual({ io0: "1" });
  });
});

describe.each(await qemusInTime())("iothreads on QEMU $version", (qemu) => {
  const add = { resource: "iothread", iothread: "a.b", state: "present" } as const;
  const del = { ...add, state: "absent" } as const;
  const set = { resource: "iothread-set", iothread: "a.b", settings: "poll-max-ns=5,poll-grow=3" } as const;
  const outcomes = async (domain: Domain, change: Change, scopes = SCOPES) => {
    const found: string[] = [];
    for (const scope of scopes) found.push(await endOf(domain, change, scope));
    return found;
  };

  test("come and go in each scope of a paused, a running and a stopped machine, with their own CPUs and policy", async () => {
    await using scene = await openScene(qemu, { args: [...IO0, ...USER] });
    const { domain } = scene;
    await domain.change(
      [
        { resource: "emulator-pin", cpus: "0" },
        { resource: "emulator-sched", policy: "batch" },
        { resource: "iothread-sched", iothread: "a.b", policy: "idle" },
      ],
      { scope: "static" },
    );
    await scene.start({ paused: true });
    for (const state of ["paused", "running"]) {
      if (state === "running") await domain.resume();
      expect(await outcomes(domain, add, ["both", "static", "dynamic"])).toEqual([
        "applied/applied",
        "unchanged/skipped",
        "skipped/unchanged",
      ]);
      expect(await iothreads(scene)).toMatchObject({ "a.b": "0-1" });
      expect((await policies(scene)).iothreads).toMatchObject({ "a.b": "idle" });
      expect(await outcomes(domain, set, ["current", "static"])).toEqual(["skipped/applied", "applied/skipped"]);
      expect(await scene.ask("qom-get", { path: "/objects/a.b", property: "poll-grow" })).toBe(3);
      expect((await scene.config()).args.at(-1)).toBe("iothread,id=a.b,poll-max-ns=5,poll-grow=3");
      expect(await outcomes(domain, del)).toEqual(["skipped/applied", "applied/skipped", "skipped/unchanged", "unchanged/unchanged"]);
      expect(Object.keys(await iothreads(scene))).toEqual(["io0"]);
    }
    await domain.destroy();
    expect(await outcomes(domain, add)).toEqual(["applied/skipped", "unchanged/skipped", "refused: dynamic", "refused: dynamic"]);
    expect(await outcomes(domain, set)).toEqual(["applied/skipped", "unchanged/skipped", "refused: dynamic", "refused: dynamic"]);
    await scene.start({ paused: true });
    expect(await scene.ask("qom-get", { path: "/objects/a.b", property: "poll-max-ns" })).toBe(5);
    expect((await policies(scene)).iothreads).toMatchObject({ "a.b": "idle" });
    expect((await domain.diff()).filter(({ why }) => why !== null)).toEqual([]);
    expect(await outcomes(domain, del)).toEqual(["skipped/applied", "applied/skipped", "skipped/unchanged", "unchanged/unchanged"]);
  });

  test("in use is refused, naming the device; QEMU itself lets it go without a word", async () => {
    await using scene = await openScene(qemu, { args: [...IO0, ...USER] });
    await scene.start({ paused: true });
    const error = await scene.domain.change({ ...del, iothread: "io0" }, { scope: "both" }).catch((each: unknown) => each);
    expect(error).toMatchObject({
      report: {
        refusals: [
          { leg: "static", reason: expect.stringContaining("virtio-scsi-pci,id=scsi0,iothread=io0") as string },
          { leg: "dynamic", reason: expect.stringContaining("iothread io0 is in use: by scsi0") as string },
        ],
      },
    });
    expect(await scene.ask("object-del", { id: "io0" })).toEqual({});
    expect(await scene.ask("qom-get", { path: "/machine/peripheral/scsi0", property: "iothread" })).toBe("");
    expect(await scene.domain.diff()).toContainEqual(
      expect.objectContaining({ resource: "iothread io0", config: "present", live: "absent" }) as unknown,
    );
  });

  test("are undone: one that was added goes, one that was removed comes back as it was", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    const { domain } = scene;
    await scene.start({ paused: true });
    await domain.change(
      [
        { ...set, iothread: "io0" },
        { resource: "iothread-pin", iothread: "io0", cpus: "1" },
      ],
      { scope: "dynamic" },
    );
    await using tools = await refusingChrt("--fifo");
    const failing = { resource: "emulator-sched", policy: "fifo:1" } as const;
    const error = await withPath(tools.path, () => domain.change([add, failing], { scope: "dynamic" }).catch((each: unknown) => each));
    expect(error).toMatchObject({ report: { outcome: "rolled-back" } });
    expect(await iothreads(scene)).toEqual({ io0: "1" });
    // Somebody else's of the same name, added behind our back, stays.
    await scene.ask(
      "object-add",
      qemu.major < 6 ? { "qom-type": "iothread", id: "a.b", props: {} } : { "qom-type": "iothread", id: "a.b" },
    );
    expect(await endOf(domain, add, "dynamic")).toBe("skipped/unchanged");
    await domain.change(del, { scope: "dynamic" });
    const report = await domain.change({ ...del, iothread: "io0" }, { scope: "dynamic" });
    expect(report.outcome).toBe("applied");
    await domain.revert();
    expect(Object.keys(await iothreads(scene))).toEqual(["io0"]);
  });

  test("of a version without thread pools say since when there are some; both ends of a pool are set in an order that works", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.start({ paused: true });
    const pool = (least: number, most: number) =>
      scene.domain.change({ resource: "iothread-set", iothread: "io0", settings: `thread-pool-min=${least},thread-pool-max=${most}` });
    if (qemu.major < 7)
      return void (await expect(pool(1, 2)).rejects.toThrow(/has no thread-pool-min and no thread-pool-max of iothreads: since 7.1/));
    for (const [least, most] of [
      [70, 80],
      [1, 2],
      [0, 64],
    ] as const) {
      expect((await pool(least, most)).outcome).toBe("applied");
      expect(await scene.ask("qom-get", { path: "/objects/io0", property: "thread-pool-max" })).toBe(most);
    }
  });

  test("of a transient machine are changed live", async () => {
    await using machine = await launch(qemu.binary, ["-machine", "q35,accel=tcg", "-nodefaults", "-S", ...IO0]);
    await using folder = await privateFolder();
    const domain = await Domain.open(`unix:${machine.monitors[0] ?? ""}`, {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await outcomes(domain, add)).toEqual(["skipped/applied", "refused: static", "skipped/unchanged", "refused: static"]);
    expect(await outcomes(domain, set)).toEqual(["skipped/applied", "refused: static", "skipped/unchanged", "refused: static"]);
    expect(await outcomes(domain, del)).toEqual(["skipped/applied", "refused: static", "skipped/unchanged", "refused: static"]);
  });
});

describe.each(await qemusInTime())("policies on QEMU $version", (qemu) => {
  const batch = { resource: "emulator-sched", policy: "batch" } as const;

  test("a start gives each thread its own, and a vCPU that is plugged does not inherit that of QEMU's main thread", async () => {
    await using scene = await openScene(qemu, { args: IO0, vcpus: { max: 4, current: 1 } });
    const { domain } = scene;
    const each = [
      batch,
      { resource: "vcpu-sched", vcpu: 0, policy: "idle" },
      { resource: "vcpu-sched", vcpu: 2, policy: "rr:3" },
      { resource: "iothread-sched", iothread: "io0", policy: "fifo:1" },
    ] as const;
    await domain.change(each, { scope: "static" });
    await scene.start({ paused: true });
    await domain.setVcpus(3, { scope: "both" });
    expect(await policies(scene)).toEqual({ main: "batch", vcpus: ["idle", "other", "rr:3"], iothreads: { io0: "fifo:1" } });
    expect((await domain.diff()).filter(({ resource, why }) => resource.includes("-sched") && why !== null)).toEqual([]);
    const report = await domain.change({ resource: "vcpu-sched", vcpu: 1, policy: "fifo:2" });
    expect(report.notes).toEqual([expect.stringMatching(/starves/)]);
    await domain.revert({ resource: "vcpu-sched" });
    expect((await policies(scene)).vcpus).toEqual(["idle", "other", "rr:3"]);
  });

  test("the undo of a set gives every thread back what it had, each its own", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.start({ paused: true });
    const pid = await scene.pid();
    const [worker = 0] = await workers(scene, pid);
    execFileSync("taskset", ["-pc", "1", String(worker)]);
    execFileSync("chrt", ["--idle", "--pid", "0", String(worker)]);
    const now = async () => [await maskOf(pid), await maskOf(worker), policyOf(pid), policyOf(worker), await policies(scene)];
    const before = await now();
    expect(before.slice(1, 4)).toEqual(["1", "other", "idle"]);
    await using tools = await refusingChrt("--fifo");
    const error = await withPath(tools.path, () =>
      scene.domain
        .change([{ resource: "emulator-pin", cpus: "0" }, batch, { resource: "iothread-sched", iothread: "io0", policy: "fifo:1" }], {
          scope: "both",
        })
        .catch((each: unknown) => each),
    );
    expect(error).toBeInstanceOf(ChangeError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/chrt --fifo --pid 1 \d+: .*Operation not permitted \(fifo and rr need CAP_SYS_NICE/) as string,
      report: { outcome: "rolled-back", steps: [{ outcome: "undone" }, { outcome: "undone" }, { outcome: "undone" }] },
    });
    expect(await now()).toEqual(before);
    expect(await scene.config()).not.toHaveProperty("threads");
  });

  test("without CAP_SYS_NICE what needs it is refused, and nothing is touched", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    const ask = (...words: readonly string[]) => withoutNice(scene, words);
    const says = (stderr: RegExp) => ({ status: 3, stderr: expect.stringMatching(stderr) as string });
    // The kernel lets nobody near a process that has more rights, so QEMU has no more of them.
    expect(ask("start", "web", "--paused")).toMatchObject({ status: 0 });
    expect(ask("emulatorsched", "web", "rr:1", "--both")).toMatchObject(says(/rr:1 needs CAP_SYS_NICE/));
    expect(ask("iothreadsched", "web", "io0", "idle")).toMatchObject(says(/idle can't be taken back/));
    expect(ask("iothreadsched", "web", "io0", "idle", "--force")).toMatchObject({ status: 0 });
    expect(ask("iothreadsched", "web", "io0", "other")).toMatchObject(says(/leaves idle only/));
    expect(ask("vcpusched", "web", "0", "batch")).toMatchObject({ status: 0 });
    expect(await policies(scene)).toEqual({ main: "other", vcpus: ["batch"], iothreads: { io0: "idle" } });
  });
});

/** A folder with a chrt that refuses this flag in the kernel's words, and else is the host's. */
async function refusingChrt(flag: string): Promise<{ readonly path: string } & AsyncDisposable> {
  const folder = await privateFolder();
  const refuse = `echo "chrt: failed to set pid 1's policy: Operation not permitted" >&2; exit 1`;
  const text = `#!/bin/sh\ncase "$*" in *${flag}*) ${refuse};; esac\nPATH='${process.env["PATH"]}' exec chrt "$@"\n`;
  await writeFile(join(folder.path, "chrt"), text, { mode: 0o755 });
  return folder;
}

/** Does something while the programs of a folder come first. */
async function withPath<T>(folder: string, act: () => Promise<T>): Promise<T> {
  const before = process.env["PATH"];
  process.env["PATH"] = `${folder}:${before}`;
  try {
    return await act();
  } finally {
    process.env["PATH"] = before;
  }
}

/** Runs the command line as root without one of root's rights. */
function withoutNice({ options }: Scene, words: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
  const { configDir, runtimeDir, stateDir } = options;
  const folders = { QMPCTL_CONFIG_DIR: configDir, QMPCTL_RUNTIME_DIR: runtimeDir, QMPCTL_STATE_DIR: stateDir };
  return spawnSync("setpriv", ["--bounding-set=-sys_nice", "--", process.execPath, main, ...words], {
    env: { ...process.env, ...folders },
    encoding: "utf8",
  });
}

interface Policies {
  readonly main: string;
  readonly vcpus: readonly string[];
  readonly iothreads: Readonly<Record<string, string>>;
}

/** The policy of each thread in chrt's own words. */
async function policies(scene: Scene): Promise<Policies> {
  const cpus = (await scene.ask("query-cpus-fast")) as readonly { readonly "cpu-index": number; readonly "thread-id": number }[];
  const found = (await scene.ask("query-iothreads")) as readonly { readonly id: string; readonly "thread-id": number }[];
  return {
    main: policyOf(await scene.pid()),
    vcpus: cpus.toSorted((one, other) => one["cpu-index"] - other["cpu-index"]).map((cpu) => policyOf(cpu["thread-id"])),
    iothreads: Object.fromEntries(found.map(({ id, "thread-id": tid }) => [id, policyOf(tid)])),
  };
}

function policyOf(tid: number): string {
  const said = execFileSync("chrt", ["-p", String(tid)], { encoding: "utf8" });
  const [, name = "", priority = "0"] = /policy: SCHED_([A-Z]+)[^]*priority: (\d+)/.exec(said) ?? [];
  return `${name.toLowerCase()}${priority === "0" ? "" : `:${priority}`}`;
}

/** QEMU's threads that are no vCPUs and no iothreads, but for the first one. */
async function workers({ ask }: Scene, pid: number): Promise<readonly number[]> {
  const named = [...((await ask("query-cpus-fast")) as readonly object[]), ...((await ask("query-iothreads")) as readonly object[])];
  const others = new Set(named.map((each) => (each as { readonly "thread-id": number })["thread-id"]));
  return (await readdir(`/proc/${pid}/task`)).map(Number).filter((tid) => tid !== pid && !others.has(tid));
}

async function everyChange(domain: Domain, walk: { turn: number }): Promise<Record<string, string[]>> {
  const table: Record<string, string[]> = {};
  for (const scope of SCOPES) {
    const [cpus = "", policy = ""] = [MASKS[walk.turn % 3], POLICIES[walk.turn % 3]];
    walk.turn += 1;
    const changes: readonly Change[] = [
      { resource: "iothread-pin", iothread: "io0", cpus },
      { resource: "vhost-pin", cpus },
      { resource: "vcpu-sched", vcpu: 0, policy },
      { resource: "emulator-sched", policy },
      { resource: "iothread-sched", iothread: "io0", policy },
    ];
    for (const change of changes) (table[change.resource] ??= []).push(await endOf(domain, change, scope));
  }
  return table;
}

async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(change, { scope, timeout: 20_000 });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { refusals } = error.report;
    expect(refusals.every(({ instead }) => instead !== undefined)).toBe(true);
    return `refused: ${[...new Set(refusals.map(({ leg }) => leg))].sort().reverse().join("+")}`;
  }
}

/** The kernel's mask of each iothread that QEMU has. */
async function iothreads({ ask }: Scene): Promise<Readonly<Record<string, string>>> {
  const found = (await ask("query-iothreads")) as readonly { readonly id: string; readonly "thread-id": number }[];
  return Object.fromEntries(
    await Promise.all(found.map(async ({ id, "thread-id": tid }) => [id, formatCpuList(await readAffinity(tid))] as const)),
  );
}
