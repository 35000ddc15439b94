import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene, type Scene } from "../../scripts/lab/scene.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { onlineCpus } from "../../src/host/taskset.ts";

const found = await qemusInTime();
/** QEMU 5.2 under TCG lets go of no vCPU, see the tests for it below. */
const modern = found.filter(({ major }) => major > 5);
const old = found.filter(({ major }) => major === 5);
const every = formatCpuList(await onlineCpus());

/** What the guest reports of an eject: ACPI's source 3, status 0. */
const ejected = ({ info }: { info: { source: number; status: number } }): boolean => info.source === 3 && info.status === 0;

describe.each(modern)("vCPUs on QEMU $version", (qemu) => {
  test("from 3 to 1 in both halves ends within a second of the guest's eject, whether QEMU says so or not", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 3 } });
    await scene.start();
    let last = 0;
    const ejects = ejectOf(scene, [1, 2]).then(() => (last = performance.now()));

    const { code, stdout, stderr } = await scene.cli("setvcpus", "web", "1", "--dynamic", "--static");
    const end = performance.now();
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    await ejects;
    expect(end - last).toBeLessThan(1000);
    expect(await scene.vcpus()).toEqual([0]);
    expect(await scene.config()).toMatchObject({ vcpus: { max: 4, current: 1 } });
    await goneFrom(scene, qemu, [1, 2], 1);
    expect((await scene.domain.diff()).find((row) => row.resource === "vcpus")).toMatchObject({ config: 1, live: 1, why: null });
  });

  test("that the guest refuses to let go of: rolled back, in the guest's words", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 3 }, guest: { words: ["qmpctl.unplug=refuse"] } });
    await scene.start();
    const before = await scene.domain.config();
    const error = await failureOf(
      scene.domain.change(
        [
          { resource: "memory", size: 400 * 2 ** 20 },
          { resource: "vcpus", count: 1 },
        ],
        { scope: "both" },
      ),
    );
    expect(error).toMatchObject({ message: expect.stringMatching(/the guest refused to let go of vCPU/) });
    expect(await scene.vcpus()).toEqual([0, 1, 2]);
    expect(await scene.ask("query-balloon")).toEqual({ actual: 512 * 2 ** 20 });
    expect(await scene.domain.config()).toBe(before);
    await scene.console.next();
    expect((await scene.console.next()).cpus).toBe(3);
    expect(error.report.changes.map(({ static: fixed, dynamic }) => [fixed.outcome, dynamic.outcome])).toEqual([
      ["rolled-back", "rolled-back"],
      ["rolled-back", "rolled-back"],
    ]);
  });

  test("of a paused guest: pending until it runs again, and no other count may be asked for meanwhile", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 2 } });
    const { domain } = scene;
    await scene.start();
    await domain.suspend();
    const pending = await scene.cli("setvcpus", "web", "1");
    expect(pending.code).toBe(5);
    expect(pending.stdout).toMatch(/the guest is paused, and lets go of it when it runs again/);
    expect(await scene.vcpus()).toEqual([0, 1]);
    expect(await rowOf(scene, "vcpus")).toMatchObject({
      config: 2,
      live: 2,
      why: expect.stringMatching(/^waits for the guest: asked to let go of vCPU 1/),
    });
    await expect(domain.setVcpus(3)).rejects.toThrow(/was asked to let go of vCPU 1 and has not done it yet/);
    expect(await domain.setVcpus(1)).toMatchObject({ outcome: "pending" });

    await domain.resume();
    await goneFrom(scene, qemu, [1], 1);
    expect(await domain.setVcpus(1)).toMatchObject({ outcome: expect.stringMatching(/applied|unchanged/) });
    expect(await scene.vcpus()).toEqual([0]);
    expect(await rowOf(scene, "vcpus")).toMatchObject({ live: 1, why: expect.stringMatching(/^changed on one side only/) });
  });

  test("plugged before the guest starts, and after: each takes part, has its own mask, and can leave again by its id", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 1, pin: { 2: "1" } } });
    const { domain } = scene;
    await scene.start({ paused: true });
    // New threads inherit this mask of the emulator's main thread.
    await promisify(execFile)("taskset", ["-pc", "0", String(await scene.pid())]);
    expect(await domain.setVcpus(2, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    expect(await scene.mask(1)).toBe(every);
    await domain.resume();
    await scene.booted();
    await scene.console.until(({ cpus }) => cpus === 2);

    expect(await domain.setVcpus(3, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    expect(await scene.mask(2)).toBe("1");
    await scene.console.until(({ cpus }) => cpus === 3);
    expect(await domain.setVcpus(2)).toMatchObject({ outcome: "applied", steps: [{ sends: 'device_del {"id":"vcpu2"}' }] });
    await goneFrom(scene, qemu, [2], 2);
  });
});

describe.each(modern)("plugging a vCPU again under TCG on QEMU $version", (qemu) => {
  test("is refused where it would end the machine, before anything is touched", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 2, current: 2 }, listen: true });
    await scene.start();
    expect(await scene.domain.setVcpus(1)).toMatchObject({ outcome: "applied" });
    await goneFrom(scene, qemu, [1], 1);

    const error = await refusalOf(scene.domain.setVcpus(2));
    expect(error.report.refusals).toMatchObject([
      { leg: "dynamic", reason: expect.stringMatching(/QEMU .*\(TCG\) dies when/), instead: expect.stringMatching(/restart/) },
    ]);
    expect(await scene.commands()).not.toContain("device_add");
    // The config may have it: the next start does.
    expect(await scene.domain.setVcpus(2, { scope: "static" })).toMatchObject({ outcome: "unchanged" });
  });

  test("by force ends it indeed: said so, with its last words, and nothing hangs", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 2, current: 2 } });
    await scene.start();
    await scene.domain.setVcpus(1, { scope: "both" });
    await goneFrom(scene, qemu, [1], 1);
    const error = await failureOf(scene.domain.setVcpus(2, { scope: "both", force: true }));
    expect(error).toMatchObject({
      code: "partial",
      report: { changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "failed" } }] },
    });
    expect(error.message).toMatch(qemu.major < 10 ? /QEMU \(process \d+\) is gone/ : /is gone: .*its last words: .*tcg_register_thread/);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    expect(await scene.config()).toMatchObject({ vcpus: { current: 1 } });
  });
});

describe.each(old)("vCPUs on QEMU $version under TCG", (qemu) => {
  test("don't leave: QEMU's refusal is told in its words, and both halves stay", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 3 } });
    // Without the help that the other scenes give this QEMU.
    await scene.domain.start();
    await scene.console.booted(1);
    const { code, stdout, stderr } = await scene.cli("setvcpus", "web", "1", "--dynamic", "--static");
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/acpi: device unplug request for not supported device type/);
    expect(await scene.vcpus()).toEqual([0, 1, 2]);
    expect(await scene.config()).toMatchObject({ vcpus: { current: 3 } });
    expect((await scene.console.next()).cpus).toBe(3);
  });

  test("that are plugged are QEMU's, and the guest does not hear of them", async () => {
    await using scene = await openScene(qemu);
    await scene.domain.start();
    await scene.console.booted(1);
    expect(await scene.domain.setVcpus(2)).toMatchObject({ outcome: "applied" });
    expect(await scene.vcpus()).toEqual([0, 1]);
    await scene.console.next();
    expect((await scene.console.next()).cpus).toBe(1);
  });
});

describe.each(modern)("vCPUs of a guest that has only begun to boot on QEMU $version", (qemu) => {
  test("don't leave yet: refused by QEMU and rolled back; pending with QEMU 11, and asked again they leave", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 2 } });
    const { domain, console } = scene;
    await domain.start();
    const early = domain.setVcpus(1, { scope: "both", timeout: 500 });
    if (qemu.major < 11) {
      const error = await failureOf(early);
      expect(error).toMatchObject({
        code: "rolled-back",
        message: expect.stringMatching(/device unplug request for not supported device type/),
      });
      expect(await scene.vcpus()).toEqual([0, 1]);
      expect(await scene.config()).toMatchObject({ vcpus: { current: 2 } });
      return;
    }
    expect(await early).toMatchObject({
      outcome: "pending",
      changes: [{ static: { outcome: "applied" }, dynamic: { outcome: "pending", actual: 2 } }],
    });
    await scene.booted();
    expect((await console.next()).cpus).toBe(2);
    expect(await domain.setVcpus(1, { scope: "both" })).toMatchObject({ outcome: "applied" });
    await console.until(({ cpus }) => cpus === 1);
  });
});

describe.each(found)("vCPUs on QEMU $version, with no need of a guest", (qemu) => {
  test("before the guest has started, none leaves: refused, as QEMU would refuse it (11 would take it, and the guest never hear of it)", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 2 }, listen: true });
    await scene.start({ paused: true });
    const error = await refusalOf(scene.domain.setVcpus(1, { scope: "both" }));
    expect(error.report.refusals).toMatchObject([{ leg: "dynamic", reason: expect.stringMatching(/the guest has not started yet/) }]);
    expect(await scene.commands()).not.toContain("device_del");
    expect(await scene.config()).toMatchObject({ vcpus: { current: 2 } });
  });

  test("are plugged under an id that nobody has", async () => {
    await using scene = await openScene(qemu, { args: ["-device", "virtio-rng-pci,id=vcpu1"] });
    await scene.start({ paused: true });
    expect(await scene.domain.setVcpus(2)).toMatchObject({
      outcome: "applied",
      steps: [{ sends: expect.stringMatching(/"id":"vcpu1-2"/) }],
    });
    expect(await scene.vcpus()).toEqual([0, 1]);
  });

  test("out of range are refused per half, with each half's own limit", async () => {
    await using scene = await openScene(qemu);
    await scene.start({ paused: true });
    await scene.edit((config) => (config.vcpus.max = 6));
    const error = await refusalOf(scene.domain.setVcpus(7, { scope: "both" }));
    expect(error.report.refusals.map(({ leg, reason }) => `${leg}: ${reason}`)).toEqual([
      "static: 7 vCPUs are more than vcpus.max 6 of the config",
      "dynamic: 7 vCPUs are more than the 4 that the running machine has room for",
    ]);
    await expect(scene.domain.setVcpus(0)).rejects.toMatchObject({ code: "usage" });
    expect((await scene.cli("setvcpus", "web", "7")).code).toBe(3);
    expect(await scene.vcpus()).toEqual([0]);
  });

  test("that share one thread can't be pinned", async () => {
    await using scene = await openScene(qemu, {
      vcpus: { max: 2, current: 2 },
      guest: { machine: "q35" },
      args: ["-accel", "tcg,thread=single"],
    });
    await scene.start({ paused: true });
    const error = await refusalOf(scene.domain.pinVcpu(1, "0"));
    expect(error.message).toMatch(/all vCPUs share one thread \(tcg,thread=single\)/);
    expect(await scene.mask(1)).toBe(every);
    // In the config it would make the next start fail, which says so and leaves nothing behind.
    await scene.domain.pinVcpu(1, "0", { scope: "static" });
    await scene.domain.destroy();
    await expect(scene.domain.start()).rejects.toThrow(/can't be pinned: all vCPUs share one thread/);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  });

  test("are pinned only to CPUs that the host has, and only while they are there", async () => {
    await using scene = await openScene(qemu);
    const { domain } = scene;
    await scene.start({ paused: true });
    const absent = await refusalOf(domain.pinVcpu(0, "0,4000", { scope: "both" }));
    expect(absent.report.refusals.map(({ leg, reason }) => `${leg}: ${reason}`)).toEqual([
      "static: this host has no CPU 4000",
      "dynamic: this host has no CPU 4000",
    ]);
    await expect(domain.pinVcpu(1, "0")).rejects.toThrow(/vCPU 1 is not plugged, so it has no thread yet/);
    await expect(domain.pinVcpu(4, "0", { scope: "both" })).rejects.toThrow(
      /out of range of the config.*out of range of the running machine/,
    );
    expect(await scene.mask(0)).toBe(every);

    expect(await domain.pinVcpu(1, "0", { scope: "static" })).toMatchObject({ outcome: "applied" });
    expect(await domain.setVcpus(2)).toMatchObject({ outcome: "applied" });
    expect(await scene.mask(1)).toBe("0");
    expect(await domain.pinVcpu(1, "all", { scope: "both" })).toMatchObject({ outcome: "applied" });
    expect(await scene.mask(1)).toBe(every);
    expect((await scene.config()).vcpus.pin).toEqual({});
  });
});

/** Waits until the guest has told by ACPI, which is its own word too, that it let go of these vCPUs. */
async function ejectOf(scene: Scene, slots: readonly number[]): Promise<void> {
  const harness = await scene.harness();
  await Promise.all(slots.map((slot) => harness.seen("ACPI_DEVICE_OST", (data) => ejected(data) && data.info.slot === String(slot))));
}

/**
 * The same, and that it counts what is left. QEMU 7.2 under TCG may hang or die at any time after an unplug: its guest is asked no more.
 */
async function goneFrom(scene: Scene, qemu: Qemu, slots: readonly number[], left: number): Promise<void> {
  await ejectOf(scene, slots);
  if (qemu.major >= 10) await scene.console.until(({ cpus }) => cpus === left);
}

async function rowOf(scene: Scene, resource: string): Promise<unknown> {
  return (await scene.domain.diff()).find((row) => row.resource === resource);
}

async function failureOf(change: Promise<unknown>): Promise<ChangeError> {
  const error = await change.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ChangeError);
  return error as ChangeError;
}

async function refusalOf(change: Promise<unknown>): Promise<RefusedError> {
  const error = await change.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RefusedError);
  return error as RefusedError;
}
