import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OwnGroup, ownGroupFor, shareIn } from "../../scripts/lab/cpu-group.ts";
import { guestArgs } from "../../scripts/lab/guest.ts";
import { installed, launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { cpuGroupOf } from "../../src/host/cgroup.ts";
import { isSystemd } from "../../src/host/login.ts";
import { type Host, openHost } from "./host.ts";

// A group of one's own takes a host whose groups we may write: root, and no read-only mount. Where systemd gives them, real-host.test.ts
// has it.
const probe = spawn("sleep", ["1000"]);
await once(probe, "spawn");
const tried = await ownGroupFor(probe.pid ?? 0);
probe.kill("SIGKILL");
await tried?.[Symbol.asyncDispose]();
const none = tried === null ? "no cgroups here that we may write" : isSystemd() ? "systemd runs this host: real-host.test.ts has it" : null;

const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
const found = await qemusInTime();

/** Each change goes to a value that neither half has. */
let turn = 0;

/** How both changes end in each scope, each time with other values: "static half / dynamic half", or the halves that refuse. */
async function everyChange(domain: Domain): Promise<Readonly<Record<string, readonly string[]>>> {
  const table: Record<string, string[]> = { "cpu-quota": [], "cpu-weight": [] };
  for (const scope of SCOPES) {
    turn++;
    const changes: readonly Change[] = [
      { resource: "cpu-quota", quota: valuesAt(turn).quota },
      { resource: "cpu-weight", weight: valuesAt(turn).weight },
    ];
    for (const change of changes) table[change.resource]?.push(await endOf(domain, change, scope));
  }
  return table;
}

function valuesAt(at: number): { readonly quota: string; readonly weight: number } {
  return { quota: `${150 + at}%`, weight: 200 + at };
}

async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(change, { scope });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { refusals } = error.report;
    expect(refusals.every(({ instead }) => instead !== undefined)).toBe(true);
    return `refused: ${[...new Set(refusals.map(({ leg }) => leg))].sort().reverse().join("+")}`;
  }
}

const both = (ends: readonly string[]): object => ({ "cpu-quota": ends, "cpu-weight": ends });
const RUNNING = both(["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"]);
const STOPPED = both(["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"]);
const SHARED = both(["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"]);
const TRANSIENT = both(["skipped/applied", "refused: static", "skipped/applied", "refused: static"]);

describe.skipIf(none !== null).each(found)("a share of the CPUs on QEMU $version", (qemu) => {
  test("changes in each scope: stopped, started with one, paused, and not in a group with others", async () => {
    await using scene = await openScene(qemu);
    expect(await everyChange(scene.domain)).toEqual(STOPPED);
    expect(await scene.config()).toMatchObject({ cpu: valuesAt(turn - 2) });

    // start gives QEMU a group, as its config asks for a share.
    await scene.domain.start({ paused: true });
    const folder = await groupOf(scene);
    expect(await shareIn(folder)).toEqual(valuesAt(turn - 2));
    expect(await everyChange(scene.domain)).toEqual(RUNNING);
    expect(await scene.config()).toMatchObject({ cpu: valuesAt(turn) });
    expect(await shareIn(folder)).toEqual(valuesAt(turn));
    await scene.domain.resume();
    expect(await everyChange(scene.domain)).toEqual(RUNNING);

    // A restart keeps what the config says, and not what was only live.
    await scene.domain.change({ resource: "cpu-quota", quota: "50%" }, { scope: "dynamic" });
    await scene.domain.destroy();
    expect(existsSync(folder)).toBe(false);
    await scene.domain.start({ paused: true });
    expect(await shareIn(await groupOf(scene))).toEqual(valuesAt(turn));

    // Somebody joins the group.
    const stranger = spawn("sleep", ["1000"]);
    await once(stranger, "spawn");
    join(await groupOf(scene), stranger.pid ?? 0);
    expect(await everyChange(scene.domain)).toEqual(SHARED);
    await expect(scene.domain.change({ resource: "cpu-quota", quota: "70%" }, { scope: "dynamic" })).rejects.toThrow(
      `it would limit sleep (${stranger.pid}) as well`,
    );
    stranger.kill("SIGKILL");
    await once(stranger, "close");
    expect(await endOf(scene.domain, { resource: "cpu-quota", quota: "70%" }, "dynamic")).toBe("skipped/applied");
    await scene.domain.destroy();
    expect(existsSync(folder)).toBe(false);
  });
});

describe.skipIf(none !== null)("a share of the CPUs", () => {
  let scene: Scene;
  let group: OwnGroup;
  beforeAll(async () => {
    scene = await openScene(await installed());
    await scene.domain.start({ paused: true });
    const own = await ownGroupFor(await scene.pid());
    if (own === null) throw new Error("the group that could be made a moment ago can't be made");
    group = own;
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await group[Symbol.asyncDispose]();
  });

  test("is refused in the group of everybody, where a start without a share leaves QEMU, and says what would work", async () => {
    await using other = await openScene(await installed(), { name: "other" });
    await other.domain.start({ paused: true });
    expect(await everyChange(other.domain)).toEqual(SHARED);
    const { report } = await other.domain.change({ resource: "cpu-weight", weight: 300 }, { scope: "dynamic" }).then(
      () => expect.unreachable(),
      (error: RefusedError) => error,
    );
    expect(report.refusals).toMatchObject([
      {
        reason: expect.stringMatching(/: its cgroup, \/, is not its own: it would limit .*\(\d+\).* as well$/) as string,
        instead: expect.stringMatching(/qmpctl restart other/) as string,
      },
    ]);
  });

  test("of a transient machine changes live only", async () => {
    await using machine = await launch((await installed()).binary, [...guestArgs({ smp: "cpus=1,maxcpus=2" }), "-S"]);
    await using own = await ownGroupFor(machine.pid);
    await using folder = await privateFolder();
    const domain = await Domain.open(machine.address, {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await everyChange(domain)).toEqual(TRANSIENT);
    expect(await own?.share()).toEqual(valuesAt(turn - 1));
    await machine.kill();
  });

  test("is undone with the rest of a set, to the very files of before, with a period that somebody else chose", async () => {
    const files = ["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.max"].filter((file) => existsSync(`${group.folder}/${file}`));
    const read = (): readonly string[] => files.map((file) => readFileSync(`${group.folder}/${file}`, "utf8"));
    write(group, { quota: 40_000, period: 20_000 });
    const before = read();
    await scene.domain.change({ resource: "cpu-quota", quota: "33.33%" }, { scope: "dynamic" });
    expect(await group.share()).toMatchObject({ quota: expect.stringMatching(/^33\.33/) as string });
    await scene.domain.change({ resource: "cpu-quota", quota: "200%" }, { scope: "dynamic" });
    expect(read()).toEqual(before);
    // Quota first, then the balloon: a paused guest gives nothing back, and the interrupt comes while it is waited for.
    const stop = new AbortController();
    const set = [{ resource: "cpu-quota", quota: "20%" } as const, { resource: "memory", size: 256 * MIB } as const];
    const change = scene.domain.change(set, { scope: "dynamic", force: true, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(change).rejects.toMatchObject({ report: { outcome: "rolled-back", steps: [{ outcome: "undone" }, {}] } });
    expect(read()).toEqual(before);
  });

  test("that was changed behind our back is told, reverted and persisted", async () => {
    await scene.domain.change({ resource: "cpu-quota", quota: "250%" }, { scope: "both" });
    write(group, { quota: 120_000, period: 100_000 });
    expect((await scene.domain.diff()).find(({ resource }) => resource === "cpu-quota")).toMatchObject({
      config: "250%",
      live: "120%",
      why: expect.stringMatching(/^changed on one side only/) as string,
    });
    expect(await scene.domain.persist({ resource: "cpu-quota" })).toMatchObject({ outcome: "applied" });
    expect(await scene.config()).toMatchObject({ cpu: { quota: "120%" } });
    write(group, { quota: 77_770, period: 100_000 });
    expect(await scene.domain.revert({ resource: "cpu-quota" })).toMatchObject({ outcome: "applied" });
    expect(await group.share()).toMatchObject({ quota: "120%" });
    await scene.domain.apply({ cpu: { quota: null, weight: 50 } }, { scope: "both" });
    expect(await group.share()).toEqual({ quota: "none", weight: 50 });
    expect(await scene.config()).toMatchObject({ cpu: { weight: 50 } });
  });

  test("that would starve the threads of disks is done, and advised against", async () => {
    const { notes } = await scene.domain.change({ resource: "cpu-quota", quota: "100%" }, { scope: "both" });
    expect(notes.filter((note) => note.includes("leaves them room"))).toHaveLength(1);
    expect(await scene.domain.change({ resource: "cpu-quota", quota: "none" }, { scope: "both", dryRun: true })).toMatchObject({
      notes: [],
    });
  });
});

describe.skipIf(none !== null)("a step on the files of a group", () => {
  const at = (when: "before" | "after", act: string) => ({
    fault: { call: "writeFile", path: "/cpu\\.(max|cfs_quota_us)$", when, nth: 1, act },
  });
  const there = { quota: "150%", weight: 200 };
  const wanted = ["setcpu", "web1", "--quota", "50%", "--both"];

  /** A machine with a share, that its start gave it. */
  async function openMachine(): Promise<{ readonly host: Host; share(): Promise<unknown>; inConfig(): unknown } & AsyncDisposable> {
    const host = await openHost();
    const config = await host.define("web1");
    await host.ok("setcpu", "web1", "--quota", "150%", "--weight", "200", "--config");
    await host.ok("start", "web1", "--paused");
    const { folder } = cpuGroupOf((await host.info("web1")).pid as number) as { readonly folder: string };
    return {
      host,
      share: () => shareIn(folder),
      inConfig: () => (JSON.parse(readFileSync(config, "utf8")) as { readonly cpu: unknown }).cpu,
      [Symbol.asyncDispose]: async () => {
        await host.ok("destroy", "web1");
        await host[Symbol.asyncDispose]();
      },
    };
  }

  test("that the kernel refuses leaves both halves as they were", async () => {
    await using machine = await openMachine();
    const { code, stdout } = await machine.host.cli([...wanted, "--json"], at("before", "EINVAL"));
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { outcome: "rolled-back" }]);
    expect([await machine.share(), machine.inConfig()]).toEqual([there, there]);
  });

  test.each([
    ["before", "--undo", there],
    ["after", "--undo", there],
    ["before", "--finish", { ...there, quota: "50%" }],
    ["after", "--finish", { ...there, quota: "50%" }],
  ] as const)("whose writer is killed %s it: recover %s leads both halves to the same", async (when, how, end) => {
    await using machine = await openMachine();
    expect(await machine.host.cli(wanted, at(when, "kill"))).toMatchObject({ code: null });
    expect(machine.inConfig()).toEqual(there);
    expect(await machine.host.cli(["setcpu", "web1", "--weight", "300"])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/recover web1/) as string,
    });
    expect(await machine.share()).toEqual(when === "before" ? there : { ...there, quota: "50%" });
    await machine.host.ok("recover", "web1", how);
    expect([await machine.share(), machine.inConfig()]).toEqual([end, end]);
  });

  test("B6: is refused where the groups are mounted read-only, and a restart is, before the machine is asked to shut down", async () => {
    await using machine = await openMachine();
    const mount = dirname(tried?.folder ?? "");
    const under = ["unshare", "--mount", "sh", "-c", `mount -o remount,bind,ro ${mount} && exec "$@"`, "sh"];
    const changed = await machine.host.cli(wanted, { under });
    expect([changed.code, changed.stdout + changed.stderr]).toEqual([3, expect.stringMatching(/cpu\.\w+ is mounted read-only/) as string]);
    expect(await machine.host.cli(["restart", "web1"], { under })).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /nothing was touched: .*can be given no cgroup of its own: .* is mounted read-only; start it as root/,
      ) as string,
    });
    expect(await machine.share()).toEqual(there);
    expect(await machine.host.info("web1")).toMatchObject({ state: "paused" });
  });

  test("is undone if the config can't be written afterwards", async () => {
    await using machine = await openMachine();
    const { code } = await machine.host.cli([...wanted, "--json"], {
      fault: { call: "rename", path: "/web1\\.json$", when: "before", nth: 1, act: "EIO" },
    });
    expect(code).toBe(1);
    expect([await machine.share(), machine.inConfig()]).toEqual([there, there]);
  });
});

test(`the tests of real groups are run${none === null ? "" : `, or say why not: ${none}`}`, ({ skip }) => {
  if (none !== null) skip(none);
});

function join(folder: string, pid: number): void {
  writeFileSync(`${folder}/cgroup.procs`, String(pid));
}

/** As an administrator would, past us. */
function write({ folder, version }: OwnGroup, { quota, period }: { readonly quota: number; readonly period: number }): void {
  if (version === 2) return writeFileSync(`${folder}/cpu.max`, `${quota} ${period}`);
  writeFileSync(`${folder}/cpu.cfs_period_us`, String(period));
  writeFileSync(`${folder}/cpu.cfs_quota_us`, String(quota));
}

async function groupOf(scene: Scene): Promise<string> {
  const group = cpuGroupOf(await scene.pid());
  if ("why" in group) throw new Error(group.why);
  expect(basename(group.folder)).toMatch(/^qmpctl-[0-9a-f-]{36}$/);
  return group.folder;
}
