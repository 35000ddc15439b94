import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { formatCpuList } from "../../../src/host/cpulist.ts";
import { onlineCpus, readAffinity } from "../../../src/host/taskset.ts";
import { threadsOf } from "../../../src/host/threads.ts";
import { definedDomain, failure, runningDomain, type RunningScene } from "../scene.ts";

const TARGET = 300 * MIB;
const memory: Change = { resource: "memory", size: TARGET };
const vcpus = (count: number): Change => ({ resource: "vcpus", count });

const never = (): Promise<never> => new Promise(() => {});

describe("a monitor that says nothing more", () => {
  test("P13: is waited for no longer than the change and the way back may take, and what is not known is told so", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["balloon"] = () => {
      process.kill(scene.process.pid, "SIGSTOP");
      for (const command of Object.keys(scene.qemu.answers)) scene.qemu.answers[command] = never;
      return never();
    };
    const before = await scene.text();
    const start = performance.now();
    // Time enough to open the machine and to read it on a loaded host: only the balloon is never answered.
    const error = await failure(scene.domain.change([vcpus(3), memory], { scope: "both", timeout: 3000, undoTimeout: 1000 }));
    // 2 s at least for each question, 1 s for the way back, and no last look: far from what each would take without a bound.
    expect(performance.now() - start).toBeLessThan(15_000);
    expect(error).toMatchObject({
      code: "partial",
      report: {
        outcome: "failed",
        changes: [
          { static: { outcome: "rolled-back" }, dynamic: { outcome: "failed", actual: null } },
          { dynamic: { outcome: "failed", actual: null } },
        ],
      },
    });
    expect(error.report.steps.map(({ outcome }) => outcome)).toEqual(["undo-failed", "undo-failed"]);
    expect(error.report.notes).toEqual([
      expect.stringMatching(/^QEMU \(process \d+\) is stopped by a signal and answers nothing; kill -CONT \d+ lets it go on$/),
    ]);
    expect(error.report.steps[1]?.reason).toMatch(/the monitor: no answer within [\d.]+ m?s/);
    // A way back that would be refused, as the machine can't be reached, is none.
    expect(error.report).toMatchObject({ finish: expect.stringContaining("setmem web1 300MiB") as string });
    expect(error.report.takeBack).toBeUndefined();
    expect(await scene.text()).toBe(before);
  }, 40_000);

  test("while the facts are read is unreachable in the time of the change", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["query-cpus-fast"] = never;
    const start = performance.now();
    await expect(scene.domain.setMemory(TARGET, { timeout: 300 })).rejects.toMatchObject({
      code: "refused",
      report: { state: "unreachable" },
    });
    expect(performance.now() - start).toBeLessThan(8000);
    expect(scene.sent()).toEqual([]);
  });

  test("does not keep an interrupt waiting", async () => {
    const scene = await runningDomain();
    const stop = new AbortController();
    scene.qemu.answers["query-cpus-fast"] = () => {
      stop.abort(new Error("ctrl-c"));
      return never();
    };
    await expect(scene.domain.setMemory(TARGET, { signal: stop.signal })).rejects.toThrow("ctrl-c");
  });

  test("is not sent again what was given up, when its connection ends", async () => {
    const scene = await runningDomain();
    const stop = new AbortController();
    const add = scene.qemu.answers["device_add"];
    scene.qemu.answers["device_add"] = () => {
      scene.qemu.answers["device_add"] = add as () => unknown;
      scene.monitor.silence();
      stop.abort(new Error("ctrl-c"));
    };
    expect((await failure(scene.domain.setVcpus(3, { signal: stop.signal }))).report.outcome).toBe("rolled-back");
    expect(await scene.domain.setMemory(TARGET)).toMatchObject({ outcome: "applied" });
    expect(scene.sent().map((line) => line.split(" ")[0])).toEqual(["device_add", "balloon"]);
    expect(scene.qemu.plugged.size).toBe(2);
  });
});

describe("a connection that goes quiet", () => {
  test("is changed for a new one to take back what was done", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["balloon"] = ({ value }: { value: number }) => {
      scene.qemu.actual = value;
      if (value === TARGET) scene.monitor.silence();
    };
    const error = await failure(scene.domain.change([vcpus(3), memory], { scope: "both", timeout: 300, undoTimeout: 3000 }));
    expect(error).toMatchObject({
      code: "rolled-back",
      report: { changes: [{ dynamic: { outcome: "rolled-back", actual: 2 } }, { dynamic: { outcome: "rolled-back", actual: GIB } }] },
    });
  });
});

describe("a reply that is lost", () => {
  test("P12: is no answer: the state is, and what was done without a word is undone", async () => {
    const scene = await runningDomain();
    const add = scene.qemu.answers["device_add"] as (args: unknown) => unknown;
    scene.qemu.answers["device_add"] = (args: unknown) => (scene.monitor.silence(), add(args));
    const error = await failure(scene.domain.setVcpus(3, { scope: "both", timeout: 300, undoTimeout: 3000 }));
    expect(error).toMatchObject({ code: "rolled-back", message: expect.stringMatching(/device_add: no answer within 2 s/) as string });
    expect(scene.qemu.plugged.size).toBe(2);
  });
});

describe("a refusal by name (DEVICE_UNPLUG_GUEST_ERROR)", () => {
  test.each([{ device: "vcpu3", path: "/machine/peripheral/vcpu3" }, { path: "/machine/peripheral/vcpu3" }])("is one: %j", async (said) => {
    const scene = await runningDomain();
    await scene.domain.setVcpus(4);
    scene.qemu.answers["device_del"] = () =>
      void scene.monitor.emit("DEVICE_UNPLUG_GUEST_ERROR", { ...said, path: "device" in said ? said.path : "vcpu3" });
    const error = await failure(scene.domain.setVcpus(3, { scope: "both" }));
    expect(error).toMatchObject({
      code: "rolled-back",
      message: "web1: unplug: the guest refused to let go of vCPU 3; everything is as it was",
    });
    expect(error.report.elapsed).toBeLessThan(10_000);
  });

  test("of another device is none", async () => {
    const scene = await runningDomain();
    await scene.domain.setVcpus(4);
    scene.qemu.answers["device_del"] = () =>
      void scene.monitor.emit("DEVICE_UNPLUG_GUEST_ERROR", { device: "disk0", path: "/machine/peripheral/disk0" });
    expect(await scene.domain.setVcpus(3, { timeout: 500 })).toMatchObject({ outcome: "pending" });
  });
});

describe("a balloon that goes back on a paused guest", () => {
  test("is undone when its target is, though the guest can't follow now", async () => {
    const scene = await paused();
    scene.qemu.refuses("device_del", "no");
    const error = await failure(scene.domain.change([vcpus(1), memory], { scope: "dynamic" }));
    expect(error).toMatchObject({ code: "rolled-back", report: { outcome: "rolled-back" } });
    expect(error.report.steps.find(({ what }) => what === "balloon to 300MiB")).toMatchObject({
      outcome: "undone",
      reason: expect.stringContaining("the guest is paused") as string,
    });
    expect(scene.sent().at(-1)).toBe(`balloon {"value":${GIB / 2}}`);
  });

  /** Paused, with a target that the guest has not reached. */
  async function paused(): Promise<RunningScene> {
    const scene = await runningDomain();
    scene.qemu.guestObeys = false;
    // With an empty balloon, so that what it said before it was paused still holds.
    scene.qemu.actual = scene.qemu.size;
    scene.qemu.target = scene.qemu.size;
    scene.qemu.status = "paused";
    expect(await scene.domain.setMemory(GIB / 2)).toMatchObject({ outcome: "pending" });
    return scene;
  }
});

describe("a balloon that was given more, and has to go back", () => {
  test.each([
    [GIB / 16, "rolled-back", GIB],
    [GIB + GIB / 2, "partial", 2 * GIB],
  ])("to less than it has: with %d bytes in use by then it ends as %s", async (used, code, actual) => {
    const scene = await runningDomain();
    scene.qemu.refuses("device_del", "no");
    scene.qemu.after("balloon", () => void (scene.qemu.used = used));
    const error = await failure(scene.domain.change([vcpus(1), { resource: "memory", size: 2 * GIB }], { scope: "dynamic" }));
    expect([error.code, scene.qemu.actual]).toEqual([code, actual]);
    if (code === "partial")
      expect(error.report.steps.find(({ what }) => what.startsWith("balloon"))).toMatchObject({
        outcome: "undo-failed",
        reason: expect.stringMatching(/the guest uses 1536MiB by now, and 1GiB, as before, could kill it/) as string,
      });
  });
});

describe("a pin of a vCPU that the same set plugs", () => {
  test("is made when its thread is there, and written", async () => {
    const scene = await runningDomain();
    const [cpu] = await onlineCpus();
    const report = await scene.domain.change([{ resource: "vcpu-pin", vcpu: 2, cpus: String(cpu) }, vcpus(3)], { scope: "both" });
    expect(report).toMatchObject({
      outcome: "applied",
      changes: [
        { static: { outcome: "applied", actual: String(cpu) }, dynamic: { outcome: "applied", before: null, actual: String(cpu) } },
        {},
      ],
    });
    const [, , , thread] = await threadsOf(scene.process.pid);
    expect(formatCpuList(await readAffinity(thread?.tid ?? 0))).toBe(String(cpu));
    expect(JSON.parse(await scene.text())).toMatchObject({ vcpus: { current: 3, pin: { 2: String(cpu) } } });
  });

  test("is refused as ever where nobody plugs it", async () => {
    const scene = await runningDomain();
    await expect(scene.domain.change([{ resource: "vcpu-pin", vcpu: 3, cpus: "0" }, vcpus(3)])).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("vCPU 3 is not plugged") as string,
    });
  });
});

describe("the way back that a report offers", () => {
  test("is not one that would be refused", async () => {
    const scene = await runningDomain({ scene: await definedDomain(configOf({ memory: { current: GIB, min: GIB / 2 } })) });
    scene.qemu.actual = GIB / 4;
    scene.qemu.guestObeys = false;
    const report = await scene.domain.setMemory(GIB, { timeout: 1000 });
    expect(report).toMatchObject({ outcome: "pending" });
    // 256 MiB is below memory.min.
    expect(report.takeBack).toBeUndefined();
    scene.qemu.actual = GIB - 4096;
    expect(await scene.domain.setMemory(GIB / 2, { timeout: 1000 })).toMatchObject({
      outcome: "pending",
      takeBack: `qmpctl setmem web1 ${(GIB - 4096) / 1024}KiB --dynamic`,
    });
  });
});
