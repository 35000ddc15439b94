import { describe, expect, test } from "vitest";
import type { GuestReport } from "../../scripts/lab/guest.ts";
import { type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene, type Scene } from "../../scripts/lab/scene.ts";

describe.each(await qemusInTime())("memory on QEMU $version", (qemu) => {
  test("of a guest without a balloon driver: pending, with target and actual, and the config has it", async () => {
    await using scene = await openScene(qemu, { guest: { words: ["qmpctl.balloon=off"] } });
    await scene.start();
    const { memTotal } = await scene.console.next();
    const { code, stdout } = await scene.cli("setmem", "web", "300M", "--static", "--dynamic", "--timeout", "1s", "--json");
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: "pending",
      changes: [
        {
          static: { outcome: "applied", actual: 300 * MIB },
          dynamic: { outcome: "pending", wanted: 300 * MIB, actual: 512 * MIB, reason: expect.stringMatching(/no balloon driver/) },
        },
      ],
      finish: "qmpctl setmem web 300MiB --dynamic",
      takeBack: "qmpctl setmem web 512MiB --static --dynamic",
    });
    expect(await scene.config()).toMatchObject({ memory: { current: "300MiB" } });
    expect(await scene.ask("query-balloon")).toEqual({ actual: 512 * MIB });
    expect(near((await scene.console.next()).memTotal, memTotal)).toBe(true);
    expect((await scene.cli("diff", "web")).stdout).toMatch(/waits for the guest: asked to go to 300MiB/);

    // What was asked for is taken back by asking for what is: the guest must not surprise anybody later.
    expect(await scene.domain.setMemory(512 * MIB)).toMatchObject({ outcome: "applied" });
    expect((await rowOf(scene))?.why).toMatch(/^changed on one side only/);
  });

  test("of a machine without a balloon device is refused, with the device to add; its maximum can still be raised", async () => {
    await using scene = await openScene(qemu, { guest: { balloonDevice: false } });
    await scene.start({ paused: true });
    const { code, stderr } = await scene.cli("setmem", "web", "300M", "--static", "--dynamic");
    expect(code).toBe(3);
    expect(stderr).toMatch(/static: memory 300MiB below memory.max 512MiB needs a balloon device/);
    expect(stderr).toMatch(/dynamic: the machine has no balloon device.*\n.*add "-device", "virtio-balloon-pci,id=balloon0"/);
    expect(await scene.domain.setMaxMemory(640 * MIB, { scope: "static" })).toMatchObject({ outcome: "applied" });
    expect(await scene.config()).toMatchObject({ memory: { max: "640MiB", current: "640MiB" } });
    await scene.domain.destroy();
    await scene.start({ paused: true });
    expect(await scene.ask("query-memory-size-summary")).toMatchObject({ "base-memory": 640 * MIB });
  });

  test("asked for before the guest starts is honoured when its driver loads", async () => {
    await using scene = await openScene(qemu, { memory: { max: "512MiB", current: "384MiB" } });
    await scene.start({ paused: true });
    expect(await scene.domain.setMemory(300 * MIB)).toMatchObject({
      outcome: "pending",
      changes: [{ dynamic: { reason: expect.stringMatching(/the guest is paused; it goes to 300MiB when it runs again/) } }],
    });
    await scene.domain.resume();
    await scene.booted();
    await (await scene.harness()).seen("BALLOON_CHANGE", ({ actual }) => actual === 300 * MIB);
    // The kernel keeps some of the 300 MiB to itself.
    await scene.console.until((report) => report.memTotal < 300 * MIB);
    expect(await scene.domain.setMemory(300 * MIB)).toMatchObject({ outcome: "unchanged" });
    expect(await scene.ask("query-balloon")).toEqual({ actual: 300 * MIB });
    expect(await rowOf(scene)).toMatchObject({
      config: 384 * MIB,
      live: 300 * MIB,
      why: expect.stringMatching(/^changed on one side only/),
    });

    expect(await scene.domain.revert()).toMatchObject({ outcome: "applied" });
    expect(await scene.ask("query-balloon")).toEqual({ actual: 384 * MIB });
    expect(await rowOf(scene)).toMatchObject({ config: 384 * MIB, live: 384 * MIB, why: null });
  });

  test("P17: is refused above what the machine has, and below what the guest uses or the config's floor, unless forced", async () => {
    await using scene = await openScene(qemu, { memory: { max: "512MiB", current: "512MiB", min: "64MiB" }, listen: true });
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    await expect(domain.setMemory(1024 * MIB, { scope: "both" })).rejects.toThrow(
      /above memory.max 512MiB of the config.*above the 512MiB that the machine was started with/,
    );
    await expect(domain.setMemory(0)).rejects.toMatchObject({ code: "usage" });
    expect((await scene.cli("setmem", "web", "300")).stderr).toMatch(/300KiB|300 KiB/);
    // The guest is asked for its word every 5 seconds from the start on; each of its reports is a moment to look again.
    while ((await rowOf(scene))?.guest === null) await console.next();
    expect(near(Number((await rowOf(scene))?.guest), memTotal)).toBe(true);
    await expect(domain.setMemory(8 * MIB)).rejects.toThrow(
      /below the .*MiB that the guest says it uses, and could kill it.*below memory.min 64MiB/,
    );
    expect(await scene.commands()).not.toContain("balloon");
  });
});

describe.each(await qemusInTime())("memory that was plugged by somebody else on QEMU $version", (qemu) => {
  test("counts: the balloon works within it", async () => {
    await using scene = await openScene(qemu, { memory: { max: "512MiB", current: "512MiB", hotplug: { slots: 2, limit: "2GiB" } } });
    const { domain, console } = scene;
    await scene.start();
    await plugDimm(scene, qemu, 256 * MIB);
    expect(await domain.info()).toMatchObject({ live: { memory: 768 * MIB, maxMemory: 768 * MIB }, config: { maxMemory: 512 * MIB } });
    const { memTotal: more } = await console.next();
    expect(await domain.setMemory(700 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    await console.until((report) => near(report.memTotal, more - 68 * MIB));
    await expect(domain.setMemory(700 * MIB, { scope: "static" })).rejects.toThrow(/above memory.max 512MiB/);
  });
});

// Of the guest's driver, not of a release of QEMU: one is as good as all.
describe.each((await qemusInTime()).slice(-1))("a balloon that a guest reboots into on QEMU $version", (qemu) => {
  test("and that was emptied before its driver was up: QEMU's figure is of the boot before, and the guard does not believe it", async () => {
    await using scene = await openScene(qemu, { memory: { max: "256MiB", current: "256MiB" } });
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    expect(await domain.setMemory(110 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    await scene.ask("system_reset");
    expect(await domain.setMemory(256 * MIB, { scope: "dynamic", timeout: 50 })).toMatchObject({ outcome: "pending" });
    await console.says(/GUEST-READY/, { since: "now" });
    await console.until((report) => report.memTotal === memTotal);
    await console.tell("hold 100");
    expect(await scene.ask("query-balloon")).toEqual({ actual: 110 * MIB });
    await expect(domain.setMemory(90 * MIB, { scope: "dynamic" })).rejects.toThrow(
      /memory 90MiB is below the 1\d\dMiB that the guest says it uses/,
    );
    expect(await domain.setMemory(220 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
  });
});

describe.each(await qemusInTime())("memory that is on its way out on QEMU $version", (qemu) => {
  test("stops changes of the balloon, as long as the guest is at it", async () => {
    await using scene = await openScene(qemu, { memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 2, limit: "2GiB" } } });
    const { domain, console } = scene;
    await scene.start();
    const { memFree } = await plugDimm(scene, qemu, 128 * MIB);
    // What lies in it has nowhere else to go: the guest tries for as long as it is told to.
    await console.tell(`hold ${Math.floor(memFree / MIB) - 60}`);
    const harness = await scene.harness();
    await scene.ask("device_del", { id: "dimm1" });
    await harness.seen("ACPI_DEVICE_OST", ({ info }) => info.source === 3 && info.status === 132);
    await expect(domain.setMemory(300 * MIB, { scope: "dynamic" })).rejects.toThrow(
      /the guest is letting go of memory \(dimm1\), and a balloon that moves meanwhile can make it panic/,
    );
    expect(await scene.ask("query-balloon")).toEqual({ actual: 384 * MIB });
    expect(await domain.setMemory(200 * MIB, { scope: "static" })).toMatchObject({ outcome: "applied" });
  });
});

/** Plugs `dimm1`, and resolves when the guest has it. */
async function plugDimm({ ask, console }: Scene, { major }: Qemu, size: number): Promise<GuestReport> {
  const { memTotal } = await console.next();
  // QEMU 5.2 wraps an object's properties.
  await ask("object-add", { "qom-type": "memory-backend-ram", id: "ram1", ...(major < 6 ? { props: { size } } : { size }) });
  await ask("device_add", { driver: "pc-dimm", id: "dimm1", memdev: "ram1" });
  return console.until((report) => report.memTotal >= memTotal + size);
}

async function rowOf({ domain }: Scene): Promise<{ readonly guest: unknown; readonly why: string | null } | undefined> {
  return (await domain.diff()).find(({ resource }) => resource === "memory");
}
