import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { ChangeError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { ChangeOptions } from "../../src/domain/model/change.ts";
import { DiedError } from "../../src/domain/model/errors.ts";
import { listDomains } from "../../src/domain/views/list.ts";

const found = await qemusInTime();
/** QEMU 5.2 under TCG lets go of no vCPU. */
const modern = found.filter(({ major }) => major > 5);
/** A guest that is never waited for, and whose balloon never moves: a change of memory waits for it until its deadline. */
const deaf = { guest: { words: ["qmpctl.balloon=off"] } } as const;

describe.each(found)("a change on QEMU $version", (qemu) => {
  test("P11: in the midst of which QEMU is killed: said so, the config as it was, and the machine can be started again", async () => {
    await using scene = await openScene(qemu, deaf);
    await scene.domain.start();
    const before = await scene.domain.config();
    const error = await brokenBy(scene, () => scene.kill(), { scope: "both" });
    expect(error.cause).toBeInstanceOf(DiedError);
    expect(error).toMatchObject({
      code: "partial",
      message: expect.stringMatching(/QEMU \(process \d+\) is gone/),
      report: { changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "failed", actual: null } }] },
    });
    expect(await scene.domain.config()).toBe(before);
    expect(await leftovers(scene)).toEqual([]);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    await scene.domain.start({ paused: true });
    expect(await scene.domain.info()).toMatchObject({ state: "paused", live: { memory: 512 * MIB } });
  });

  test("P5: in the midst of which somebody edits the config: not overwritten, and the live half undone", async () => {
    await using scene = await openScene(qemu, deaf);
    await scene.domain.start();
    let theirs = "";
    const edit = (): void => {
      theirs = readFileSync(scene.domain.configPath ?? "", "utf8").replace('"max": 4', '"max": 3');
      writeFileSync(scene.domain.configPath ?? "", theirs);
    };
    const error = await brokenBy(scene, edit, { scope: "both", timeout: 300 });
    expect(error).toMatchObject({ code: "rolled-back", message: expect.stringMatching(/somebody else changed it since it was read/) });
    expect(error.report.changes).toMatchObject([
      { static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back", actual: 512 * MIB } },
    ]);
    expect(await scene.domain.config()).toBe(theirs);
    expect(await leftovers(scene)).toEqual([]);
    expect((await scene.domain.diff()).find(({ resource }) => resource === "memory")).toMatchObject({ live: 512 * MIB, why: null });
  });

  test("respects what was edited before it", async () => {
    await using scene = await openScene(qemu);
    await scene.domain.setVcpus(2);
    await scene.edit((config) => (config.vcpus.max = 2));
    await expect(scene.domain.setVcpus(3)).rejects.toThrow(/more than vcpus.max 2 of the config/);
    await scene.edit((config) => Object.assign(config, { "x-note": "mine", memory: { max: "256MiB", current: "256MiB" } }));
    await scene.domain.setMemory(128 * MIB);
    expect(await scene.config()).toMatchObject({
      "x-note": "mine",
      memory: { max: "256MiB", current: "128MiB" },
      vcpus: { max: 2, current: 2 },
    });
    await writeFile(scene.domain.configPath ?? "", "{ not JSON");
    expect((await scene.cli("setvcpus", "web", "1")).code).toBe(3);
    expect(await scene.domain.config().catch((error: { code: string }) => error.code)).toBe("config");
  });

  test("P4: and another one from another process at the same moment: both are done", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 8, current: 1 } });
    await scene.start({ paused: true });
    const ends = await Promise.all([
      scene.cli("setvcpus", "web", "3", "--static", "--dynamic"),
      scene.cli("vcpupin", "web", "0", "1", "--static", "--dynamic"),
      scene.cli("setmaxmem", "web", "1GiB", "--static"),
      scene.cli("vcpupin", "web", "5", "0", "--static"),
    ]);
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
      [0, ""],
      [0, ""],
    ]);
    expect(await scene.config()).toMatchObject({ memory: { max: "1GiB" }, vcpus: { current: 3, pin: { 0: "1", 5: "0" } } });
    expect(await scene.vcpus()).toEqual([0, 1, 2]);
    expect(await scene.mask(0)).toBe("1");

    const rivals = await Promise.all(
      [4, 5].map((count) => scene.cli("setvcpus", "web", String(count), "--static", "--dynamic", "--force")),
    );
    // Whoever comes first: 5 is above 4, and from 5 down to 4 there is no way before the guest has started.
    expect(rivals[1]?.code).toBe(0);
    expect([0, 3]).toContain(rivals[0]?.code);
    expect(await scene.vcpus()).toHaveLength(5);
    expect((await scene.config()).vcpus.current).toBe((await scene.vcpus()).length);
  });

  test("P9: interrupted while it waits: undone, and 130", async () => {
    await using scene = await openScene(qemu, { ...deaf, listen: true });
    await scene.domain.start();
    await scene.harness();
    const before = await scene.domain.config();
    const cli = scene.cli("setmem", "web", "300M", "--static", "--dynamic", "--json");
    await scene.heard("balloon");
    cli.process.kill("SIGINT");
    const { code, stdout } = await cli;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: "rolled-back",
      changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back" } }],
    });
    expect((await scene.commands()).filter((command) => command === "balloon")).toHaveLength(2);
    expect(await scene.domain.config()).toBe(before);
    expect(await leftovers(scene)).toEqual([]);
    expect((await scene.domain.diff()).find(({ resource }) => resource === "memory")).toMatchObject({ why: null });
  });

  test("P8: whose writer is killed in its midst: the next one is told so and touches nothing, and recover takes it back", async () => {
    await using scene = await openScene(qemu, { ...deaf, listen: true });
    await scene.domain.start();
    await scene.harness();
    const before = await scene.domain.config();
    const cli = scene.cli("setmem", "web", "300M", "--static", "--dynamic");
    await scene.heard("balloon");
    cli.process.kill("SIGKILL");
    await cli;
    expect(await scene.domain.config()).toBe(before);
    await scene.booted();
    // QEMU drops a command that its client has left before it was begun.
    const half = await balloonTarget(scene);
    expect([300 * MIB, 512 * MIB]).toContain(half);
    const next = await scene.cli("setvcpus", "web", "2");
    expect(next.code).toBe(3);
    expect(next.stderr).toMatch(/interrupted/);
    expect(await scene.vcpus()).toEqual([0]);

    expect((await scene.cli("recover", "web", "--undo")).code).toBe(0);
    expect(await scene.domain.config()).toBe(before);
    expect(await balloonTarget(scene)).toBe(512 * MIB);
    expect(await scene.ask("query-balloon")).toEqual({ actual: 512 * MIB });
    expect((await scene.commands()).filter((command) => command === "balloon")).toHaveLength(half === 300 * MIB ? 2 : 1);
    expect((await scene.domain.diff()).filter(({ why }) => why !== null)).toEqual([]);
    expect(await scene.domain.setVcpus(2)).toMatchObject({ outcome: "applied" });
    expect(await leftovers(scene)).toEqual([]);
  });

  test("waits for a shell that holds the lock, says whom it waits for, and goes on when it is gone", async () => {
    await using scene = await openScene(qemu);
    await scene.start({ paused: true });
    const lock = join(scene.options.runtimeDir ?? "", "web", "lock");
    const shell = spawn("flock", [lock, "sh", "-c", "echo held; read -r _"], { stdio: ["pipe", "pipe", "inherit"] });
    await once(shell.stdout, "data");
    const { code, stderr } = await scene.cli("setvcpus", "web", "2", "--timeout", "200ms");
    expect(code).toBe(3);
    const waited = new RegExp(`locked by process ${shell.pid} \\(flock .*waited (\\d+) ms`).exec(stderr)?.[1];
    // The deadline is for all of it: the machine had to be found before.
    expect(Number(waited), stderr).toBeLessThanOrEqual(200);
    const patient = scene.domain.setVcpus(2);
    shell.stdin.end("\n");
    expect(await patient).toMatchObject({ outcome: "applied" });
    expect(await scene.vcpus()).toEqual([0, 1]);
  });

  test("P3: of a machine whose monitors are held: unreachable until they let go, never stopped", async () => {
    await using scene = await openScene(qemu);
    await scene.start({ paused: true });
    const impatient = await Domain.open("web", { ...scene.options, timeout: 300 });
    const control = await hold(scene, "control.sock");
    // Readers go to the watchers' monitor.
    expect(await impatient.info()).toMatchObject({ state: "paused" });
    const watch = await hold(scene, "watch.sock");
    expect(await impatient.info()).toMatchObject({ state: "unreachable" });
    const start = performance.now();
    const refused = await scene.cli("setvcpus", "web", "2", "--current", "--timeout", "500ms");
    // The monitor has 5 seconds of its own, unless the change has less.
    expect(performance.now() - start).toBeLessThan(4000);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/the machine is unreachable, which is not stopped: .*its monitor .* is held by process \d+/);
    expect((await scene.config()).vcpus.current).toBe(1);
    for (const socket of [control, watch]) socket.destroy();
    expect(await scene.domain.setVcpus(2)).toMatchObject({ outcome: "applied" });
  });
});

describe.each(modern)("an unplug on QEMU $version", (qemu) => {
  test("in the midst of which QEMU is killed: said so, and the config as it was", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 3 } });
    await scene.start();
    const before = await scene.domain.config();
    let killing: Promise<void> | undefined;
    const change = scene.domain.setVcpus(1, {
      scope: "both",
      onProgress: ({ what }) => (what === "vCPUs" ? (killing ??= scene.kill()) : undefined),
    });
    const error = await change.catch((reason: unknown) => reason);
    await killing;
    expect(error).toBeInstanceOf(ChangeError);
    expect(error).toMatchObject({
      code: "partial",
      message: expect.stringMatching(/is gone/),
      report: { changes: [{ dynamic: { outcome: "failed" } }] },
    });
    expect(await scene.domain.config()).toBe(before);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  });

  test("and everything before it is undone when the config is edited in its midst: the guest has all it had", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 2 } });
    await scene.start();
    const { memTotal } = await scene.console.next();
    const edit = (): void =>
      writeFileSync(scene.domain.configPath ?? "", readFileSync(scene.domain.configPath ?? "", "utf8").replace('"max": 4', '"max": 8'));
    // Plugged and squeezed: both are done by then, and read back by the guest.
    const change = scene.domain.change(
      [
        { resource: "vcpus", count: 3 },
        { resource: "memory", size: 300 * MIB },
      ],
      { scope: "both", onProgress: first(edit) },
    );
    await expect(change).rejects.toMatchObject({ code: "rolled-back", message: expect.stringMatching(/somebody else changed it/) });
    expect(await scene.vcpus()).toEqual([0, 1]);
    expect(await scene.ask("query-balloon")).toEqual({ actual: 512 * MIB });
    await scene.console.until((report) => report.cpus === 2 && report.memTotal === memTotal);
    expect(await scene.config()).toMatchObject({ memory: { current: "512MiB" }, vcpus: { max: 8, current: 2 } });
  });
});

test("E3: a list of 50 domains, some of them silent, takes as long as the slowest, not as long as all", async () => {
  const qemu = found.at(-1);
  if (qemu === undefined) throw new Error("no QEMU");
  await using scene = await openScene(qemu);
  const text = await scene.config();
  const silent = ["silent1", "silent2", "silent3"];
  const scenes = await Promise.all(
    silent.map(async (name) => {
      await writeFile(join(scene.options.configDir ?? "", `${name}.json`), JSON.stringify({ ...text, name, monitor: undefined }));
      const domain = await Domain.open(name, scene.options);
      const { pid } = await domain.start({ paused: true });
      return { pid, domain };
    }),
  );
  try {
    for (let count = 4; count < 50; count++) {
      await writeFile(
        join(scene.options.configDir ?? "", `other${count}.json`),
        JSON.stringify({ ...text, name: `other${count}`, monitor: undefined }),
      );
    }
    await scene.start({ paused: true });
    for (const { pid } of scenes) process.kill(pid, "SIGSTOP");
    const start = performance.now();
    const domains = await listDomains({ ...scene.options, all: true, timeout: 1500 });
    const elapsed = performance.now() - start;
    expect(domains).toHaveLength(50);
    expect(domains.filter(({ state }) => state === "unreachable").map(({ name }) => name)).toEqual(silent);
    expect(domains.find(({ name }) => name === "web")).toMatchObject({ state: "paused" });
    expect(elapsed).toBeGreaterThan(1400);
    expect(elapsed).toBeLessThan(2 * 1500);
  } finally {
    for (const { pid } of scenes) process.kill(pid, "SIGKILL");
  }
});

/** Begins a change that waits for its guest, does something at its first look, and gives what it failed with. */
async function brokenBy(scene: Scene, act: () => unknown, options: ChangeOptions): Promise<ChangeError> {
  let acting: unknown;
  const onProgress = first(() => (acting = act()));
  const error = await scene.domain.setMemory(300 * MIB, { ...options, onProgress }).catch((reason: unknown) => reason);
  await acting;
  expect(error).toBeInstanceOf(ChangeError);
  return error as ChangeError;
}

function first(act: () => unknown): (progress: { readonly what: string }) => void {
  let done = false;
  return ({ what }) => {
    // Before the balloon there may be others: where a host is slow, QEMU is waited for.
    if (what !== "memory") return;
    if (!done) act();
    done = true;
  };
}

/** What a change left beside the config. */
async function leftovers(scene: Scene): Promise<readonly string[]> {
  return (await readdir(scene.options.configDir ?? "")).filter((name) => name !== "web.json");
}

/**
 * The balloon's target as its device has it, of 512 MiB: in the second page of its fourth region, which the firmware has placed when the
 * guest is up.
 */
async function balloonTarget({ ask }: Scene): Promise<number> {
  const [bus] = await ask("query-pci");
  const { regions } = bus.devices.find((device: any) => device.qdev_id === "balloon0");
  const { address } = regions.find((region: any) => region.bar === 4);
  const text: string = await ask("human-monitor-command", { "command-line": `xp /1wx ${address + 0x2000}` });
  return 512 * MIB - Number(/: (0x[0-9a-f]+)/.exec(text)?.[1]) * 4096;
}

/** A client that holds a monitor and says nothing. */
async function hold(scene: Scene, name: string): Promise<ReturnType<typeof dial>> {
  const socket = dial(join(scene.options.runtimeDir ?? "", "web", name));
  await once(socket, "data");
  return socket;
}
