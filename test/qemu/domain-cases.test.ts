import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene } from "../../scripts/lab/scene.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { onlineCpus } from "../../src/host/taskset.ts";

// The three cases of 2007, each seen by the guest itself: what a change does now, and what is there after a restart.
describe.each(await qemusInTime())("cases A, B and C on QEMU $version", (qemu) => {
  // QEMU 5.2 and 7.2 under TCG may die when a vCPU is unplugged, or any time after: there the night has more of them.
  const [from, to] = qemu.major >= 10 ? [3, 1] : [1, 3];
  const vcpus = { max: 4, current: from };

  test("P21: A: a dynamic change is there now, and gone after a restart; B: a static one only then; C: one of both now and then", async () => {
    await using scene = await openScene(qemu, { vcpus });
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.until((report) => report.cpus === from);
    const before = await domain.config();

    // A: a dynamic change.
    const less = await domain.setMemory(300 * MIB, { scope: "dynamic" });
    expect(less).toMatchObject({
      outcome: "applied",
      changes: [{ static: { outcome: "skipped" }, dynamic: { outcome: "applied", before: 512 * MIB, actual: 300 * MIB } }],
    });
    expect(await scene.ask("query-balloon")).toEqual({ actual: 300 * MIB });
    await console.until((report) => near(report.memTotal, memTotal - 212 * MIB));

    const fewer = await domain.setVcpus(to, { scope: "dynamic" });
    expect(fewer).toMatchObject({
      outcome: "applied",
      changes: [{ static: { outcome: "skipped" }, dynamic: { outcome: "applied", before: from, actual: to } }],
    });
    expect(await scene.vcpus()).toHaveLength(to);
    await console.until((report) => report.cpus === to);
    expect(await domain.config()).toBe(before);

    await domain.restart();
    await scene.booted();
    expect(console.boots).toBe(2);
    await console.until((report) => report.cpus === from && near(report.memTotal, memTotal));
    expect(await domain.info()).toMatchObject({ state: "running", live: { memory: 512 * MIB, vcpus: from } });

    // B: a static change.
    const report = await domain.change(
      [
        { resource: "memory", size: 400 * MIB },
        { resource: "vcpus", count: 2 },
      ],
      { scope: "static" },
    );
    expect(report.outcome).toBe("applied");
    expect(report.notes.join()).toMatch(/for the next start/);
    await console.next();
    const still = await console.next();
    expect([still.cpus, near(still.memTotal, memTotal)]).toEqual([from, true]);
    expect(await domain.info()).toMatchObject({ live: { memory: 512 * MIB, vcpus: from }, config: { memory: 400 * MIB, vcpus: 2 } });
    await domain.restart();
    await scene.booted();
    await console.until((it) => it.cpus === 2 && near(it.memTotal, memTotal - 112 * MIB));

    // C: a change of both.
    const both = await domain.change(
      [
        { resource: "memory", size: 300 * MIB },
        { resource: "vcpus", count: to },
      ],
      { scope: "both" },
    );
    expect(both.changes.flatMap((change) => [change.static.outcome, change.dynamic.outcome])).toEqual([
      "applied",
      "applied",
      "applied",
      "applied",
    ]);
    await console.until((it) => it.cpus === to && near(it.memTotal, memTotal - 212 * MIB));
    expect(await scene.config()).toMatchObject({ memory: { max: "512MiB", current: "300MiB" }, vcpus: { max: 4, current: to } });
    await domain.restart();
    await console.booted(4);
    await console.until((it) => it.cpus === to && near(it.memTotal, memTotal - 212 * MIB));
  });

  test("P22: the morning after: persist makes the config equal the running machine, revert the machine equal its config", async () => {
    await using scene = await openScene(qemu);
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    await domain.change(
      [
        { resource: "vcpus", count: 2 },
        { resource: "vcpu-pin", vcpu: 0, cpus: "1" },
        { resource: "memory", size: 400 * MIB },
      ],
      { scope: "dynamic" },
    );
    const rows = await domain.diff();
    expect(rows.filter(({ why }) => why !== null).map(({ resource, config, live }) => [resource, config, live])).toEqual([
      ["memory", 512 * MIB, 400 * MIB],
      ["vcpus", 1, 2],
      ["vcpu-pin 0", "all", "1"],
    ]);

    expect((await scene.cli("persist", "web")).code).toBe(0);
    expect(await scene.config()).toMatchObject({
      memory: { max: "512MiB", current: "400MiB" },
      vcpus: { max: 4, current: 2, pin: { 0: "1" } },
    });
    expect((await domain.diff()).filter(({ why }) => why !== null)).toEqual([]);

    await domain.change(
      [
        { resource: "vcpus", count: 3 },
        { resource: "vcpu-pin", vcpu: 0, cpus: "all" },
        { resource: "vcpu-pin", vcpu: 2, cpus: "0" },
        { resource: "memory", size: 450 * MIB },
      ],
      { scope: "static" },
    );
    expect((await scene.cli("revert", "web")).code).toBe(0);
    expect((await domain.diff()).filter(({ why }) => why !== null)).toEqual([]);
    expect([await scene.mask(0), await scene.mask(2)]).toEqual([formatCpuList(await onlineCpus()), "0"]);
    await console.until((report) => report.cpus === 3 && near(report.memTotal, memTotal - 62 * MIB));
  });
});
