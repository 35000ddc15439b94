import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { GIB, MIB } from "../../../scripts/lab/facts.ts";
import { ChangeError } from "../../../src/domain/change/errors.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { formatCpuList } from "../../../src/host/cpulist.ts";
import { readAffinity } from "../../../src/host/taskset.ts";
import { threadsOf } from "../../../src/host/threads.ts";
import { asked, failure, runningDomain, type RunningScene } from "../scene.ts";

const TARGET = 300 * MIB;
const memory: Change = { resource: "memory", size: TARGET };
const vcpus = (count: number): Change => ({ resource: "vcpus", count });

function steps({ report }: ChangeError): readonly string[] {
  return report.steps.map(({ what, outcome }) => `${what}: ${outcome}`);
}

/** What was sent, without arguments but ids. */
function words({ sent }: RunningScene): readonly string[] {
  return sent().map((line) => line.replace(/ .*"id":"([^"]*)".*/, " $1").replace(/ \{.*/, ""));
}

describe("a step that QEMU refuses", () => {
  test("has the steps before it undone, last first, and those after it left out", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("device_add", "no room", (args: { id: string }) => args.id === "vcpu3");
    const before = await scene.text();
    const error = await failure(scene.domain.change([vcpus(4), memory], { scope: "both" }));
    expect(error).toMatchObject({
      code: "rolled-back",
      message: "web1: device_add: no room; everything is as it was",
      cause: { code: "command", desc: "no room" },
    });
    expect(steps(error)).toEqual(["plug vCPU 2: undone", "plug vCPU 3: undone", "balloon to 300MiB: skipped"]);
    expect(error.report.changes).toMatchObject([
      { static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back", before: 2, wanted: 4, actual: 2 } },
      { static: { outcome: "rolled-back" }, dynamic: { outcome: "skipped", actual: GIB } },
    ]);
    expect(words(scene)).toEqual(["device_add vcpu2", "device_add vcpu3", "device_del vcpu2"]);
    expect([await scene.text(), await scene.files()]).toEqual([before, ["web1.json"]]);
  });

  test("leaves alone what somebody else plugged into the slot meanwhile, and says that it is not as it was", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses(
      "device_add",
      "CPU[3] exists",
      ({ id }: { id: string }) => id === "vcpu3" && scene.qemu.plugged.set(3, "theirs") !== undefined,
    );
    const error = await failure(scene.domain.setVcpus(4, { scope: "both" }));
    expect(error).toMatchObject({ code: "rolled-back", message: "web1: device_add: CPU[3] exists; what was done was undone" });
    expect(error.report.changes[0]).toMatchObject({
      static: { outcome: "rolled-back" },
      dynamic: { outcome: "rolled-back", before: 2, actual: 3 },
    });
    expect(error.report.notes).toEqual(["vcpus: 2 before, 3 now: our part was undone; somebody else changed it meanwhile"]);
    expect([...scene.qemu.plugged]).toEqual([
      [0, ""],
      [1, ""],
      [3, "theirs"],
    ]);
  });

  test("has several steps undone in reverse", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("balloon", "the kernel can't");
    expect(steps(await failure(scene.domain.change([vcpus(4), memory])))).toEqual([
      "plug vCPU 2: undone",
      "plug vCPU 3: undone",
      "balloon to 300MiB: undone",
    ]);
    expect(words(scene)).toEqual(["device_add vcpu2", "device_add vcpu3", "balloon", "device_del vcpu3", "device_del vcpu2"]);
  });

  test("with what was done kept, is told as partial, with the way on and the way back", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("device_add", "no room", (args: { id: string }) => args.id === "vcpu3");
    const error = await failure(scene.domain.change([vcpus(4), memory], { scope: "both", onFailure: "keep" }));
    expect(error).toMatchObject({
      code: "partial",
      report: {
        outcome: "failed",
        finish: "qmpctl setvcpus web1 4 --static --dynamic && qmpctl setmem web1 300MiB --static --dynamic",
        takeBack: "qmpctl setvcpus web1 2 --dynamic",
      },
    });
    expect(steps(error)).toEqual(["plug vCPU 2: done", "plug vCPU 3: failed", "balloon to 300MiB: skipped"]);
    expect(error.report.changes[0]?.dynamic).toMatchObject({ outcome: "failed", actual: 3, reason: "device_add: no room" });
    expect(words(scene)).toEqual(["device_add vcpu2", "device_add vcpu3"]);
  });

  test("that changes nothing is not set back: it would only be refused again", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("balloon", "the kernel can't");
    const error = await failure(scene.domain.change(memory));
    expect(error).toMatchObject({ code: "rolled-back", report: { outcome: "rolled-back" } });
    expect(words(scene)).toEqual(["balloon"]);
    expect(await asked(scene)).toEqual({});
  });

  test("as an unplug, was not accepted, and is not waited for ever after", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("device_del", "unplug is not supported");
    const error = await failure(scene.domain.setVcpus(1));
    expect(error).toMatchObject({ code: "rolled-back", report: { outcome: "rolled-back" } });
    expect(await asked(scene)).toEqual({ unplug: [] });
  });
});

describe("an undo that does not work either", () => {
  test("is told, with what is so now", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("device_add", "no room", (args: { id: string }) => args.id === "vcpu3");
    scene.qemu.refuses("device_del", "no way back");
    const error = await failure(scene.domain.setVcpus(4, { scope: "both" }));
    expect(error).toMatchObject({ code: "partial", message: "web1: device_add: no room" });
    expect(error.report).toMatchObject({
      outcome: "failed",
      changes: [
        { static: { outcome: "rolled-back", actual: 2 }, dynamic: { outcome: "failed", actual: 3, reason: "device_del: no way back" } },
      ],
      finish: "qmpctl setvcpus web1 4 --static --dynamic",
      takeBack: "qmpctl setvcpus web1 2 --dynamic",
    });
  });
});

describe("a guest that says no", () => {
  const refusing = async (): Promise<RunningScene> => {
    const scene = await runningDomain();
    await scene.domain.setVcpus(4);
    const { qemu, monitor } = scene;
    qemu.answers["device_del"] = ({ id }: { id: string }) => {
      if (id === "vcpu3") return monitor.emit("ACPI_DEVICE_OST", { info: { slot: "3", "slot-type": "CPU", source: 3, status: 129 } });
      qemu.letGo(id);
    };
    return scene;
  };

  test("ends the change at once, and what others gave is given back", async () => {
    const scene = await refusing();
    const error = await failure(scene.domain.change([vcpus(2), memory], { scope: "both" }));
    expect(error.message).toBe(
      "web1: unplug: the guest refused to let go of vCPU 3 (the device is busy, _OST status 129); everything is as it was",
    );
    expect(error.report).toMatchObject({
      outcome: "rolled-back",
      changes: [{ dynamic: { outcome: "rolled-back", actual: 4 } }, { dynamic: { outcome: "rolled-back", actual: GIB } }],
    });
    expect(error.report.elapsed).toBeLessThan(5000);
    expect([...scene.qemu.plugged.keys()].sort()).toEqual([0, 1, 2, 3]);
  });

  test("is not taken for one that may still do it", async () => {
    const scene = await refusing();
    await failure(scene.domain.setVcpus(3));
    expect(await asked(scene)).toEqual({ unplug: [] });
    expect(await scene.domain.setVcpus(4)).toMatchObject({ outcome: "unchanged" });
  });
});

describe("an unplug that has to be undone", () => {
  test("gives the new thread the mask that the one before had", async () => {
    const scene = await runningDomain();
    const threads = await threadsOf(scene.process.pid);
    const mask = formatCpuList(await readAffinity(threads[2]?.tid ?? 0));
    scene.qemu.after("device_del", () => scene.qemu.refuses("query-balloon", "gone"));
    const error = await failure(scene.domain.change([vcpus(1), memory]));
    expect(steps(error)).toEqual(["balloon to 300MiB: undone", "unplug vCPU 1: undone"]);
    expect(words(scene)).toEqual(["balloon", "device_del /machine/unattached/device[1]", "device_add vcpu1"]);
    expect(formatCpuList(await readAffinity(threads[2]?.tid ?? 0))).toBe(mask);
  });
});

describe("an interrupt", () => {
  test("while the guest is waited for has it all taken back", async () => {
    const scene = await runningDomain();
    const stop = new AbortController();
    scene.qemu.guestObeys = false;
    scene.qemu.after("query-balloon", () => (scene.sent().length > 0 ? stop.abort(new Error("ctrl-c")) : undefined));
    const error = await failure(scene.domain.setMemory(TARGET, { scope: "both", signal: stop.signal }));
    expect(error).toMatchObject({
      code: "rolled-back",
      cause: stop.signal.reason as Error,
      report: { changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back" } }] },
    });
    expect(scene.sent()).toEqual([`balloon {"value":${TARGET}}`, `balloon {"value":${GIB}}`]);
    expect(await asked(scene)).toEqual({ balloon: GIB });
  });

  test("between two steps leaves the next one out", async () => {
    const scene = await runningDomain();
    const stop = new AbortController();
    scene.qemu.after("device_add", () => stop.abort(new Error("ctrl-c")));
    const error = await failure(scene.domain.change([vcpus(3), memory], { signal: stop.signal }));
    expect(steps(error)).toEqual(["plug vCPU 2: undone", "balloon to 300MiB: skipped"]);
    expect(words(scene)).toEqual(["device_add vcpu2", "device_del vcpu2"]);
  });

  test("before anything rejects with its reason, and touches nothing", async () => {
    const { domain, monitor } = await runningDomain();
    const reason = new Error("ctrl-c");
    await expect(domain.setMemory(TARGET, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(monitor.said).toEqual([]);
  });
});

describe("a connection that breaks", () => {
  test("after a plug arrived is no reason to plug again", async () => {
    const scene = await runningDomain();
    scene.qemu.after("device_add", () => scene.monitor.reset());
    expect(await scene.domain.setVcpus(3)).toMatchObject({ outcome: "applied", changes: [{ dynamic: { actual: 3 } }] });
    expect(words(scene)).toEqual(["device_add vcpu2"]);
  });

  test("before a plug arrived has it sent again", async () => {
    const scene = await runningDomain();
    const add = scene.qemu.answers["device_add"];
    scene.qemu.answers["device_add"] = () => {
      scene.qemu.answers["device_add"] = add as () => unknown;
      scene.monitor.reset();
    };
    expect(await scene.domain.setVcpus(3)).toMatchObject({ outcome: "applied" });
    expect(words(scene)).toEqual(["device_add vcpu2", "device_add vcpu2"]);
  });

  test("while the guest is waited for is mended", async () => {
    const scene = await runningDomain();
    scene.qemu.guestObeys = false;
    scene.qemu.after("query-balloon", () => {
      if (scene.sent().length === 0 || scene.qemu.actual === TARGET) return;
      scene.qemu.actual = TARGET;
      scene.monitor.reset();
    });
    expect(await scene.domain.setMemory(TARGET)).toMatchObject({ outcome: "applied", changes: [{ dynamic: { actual: TARGET } }] });
  });
});

describe("a QEMU that dies", () => {
  test("is told with its last words, and the config stays", async () => {
    const scene = await runningDomain();
    await writeFile(scene.runtime.output, "Assertion failed: n < tcg_max_ctxs\n");
    scene.qemu.answers["device_add"] = async () => {
      await scene.process.kill();
      await scene.monitor.exit();
    };
    const before = await scene.text();
    const error = await failure(scene.domain.setVcpus(3, { scope: "both" }));
    expect(error).toMatchObject({
      code: "partial",
      report: {
        outcome: "failed",
        changes: [{ static: { outcome: "rolled-back", actual: 2 }, dynamic: { outcome: "failed", actual: null } }],
      },
    });
    expect(error.message).toMatch(/QEMU \(process \d+\) is gone: .*; its last words: Assertion failed: n < tcg_max_ctxs$/);
    expect([await scene.text(), await scene.files()]).toEqual([before, ["web1.json"]]);
    expect((await scene.domain.info()).state).toBe("stopped");
  });
});
