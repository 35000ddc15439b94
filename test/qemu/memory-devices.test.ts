import { describe, expect, test } from "vitest";
import type { GuestOptions } from "../../scripts/lab/guest.ts";
import { type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene, type Scene } from "../../scripts/lab/scene.ts";

// Memory beyond the balloon: virtio-mem and DIMMs. What the guest has, it says on its serial line.

const found = await qemusInTime();

/** A machine of 256 MiB with 512 MiB of virtio-mem. */
function open(
  qemu: Qemu,
  { guest = {}, args = [] }: { readonly guest?: GuestOptions; readonly args?: readonly string[] } = {},
): Promise<Scene> {
  return openScene(qemu, {
    memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 4, limit: "4GiB" } },
    guest,
    args: ["-object", "memory-backend-ram,id=vm-ram,size=512M", "-device", "virtio-mem-pci,id=vm.0,memdev=vm-ram", ...args],
  });
}

async function whyOf({ domain }: Scene, label: string): Promise<string | null | undefined> {
  return (await domain.diff()).find(({ resource }) => resource === label)?.why;
}

async function given({ ask }: Scene): Promise<readonly (readonly [size: number, target: number])[]> {
  const devices = (await ask("query-memory-devices")) as readonly { readonly data: Readonly<Record<string, number>> }[];
  return devices.map(({ data }) => [Number(data["size"]) / MIB, Number(data["requested-size"]) / MIB]);
}

describe.each(found)("virtio-mem on QEMU $version", (qemu) => {
  test("grows and shrinks the guest in each scope, running and paused; start, diff, revert and persist agree", async () => {
    await using scene = await open(qemu, { guest: { balloonDevice: false } });
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    const has = (mib: number) => console.until((report) => near(report.memTotal, memTotal + mib * MIB));

    // All of the memory: 128 MiB more than the machine starts with.
    expect(await scene.cli("setmem", "web", "384M", "--both")).toMatchObject({ code: 0, stderr: "" });
    await has(128);
    expect(await scene.config()).toMatchObject({ memory: { plugged: { "vm.0": "128MiB" } } });
    expect(await domain.change({ resource: "memory-plugged", id: "vm.0", size: 256 * MIB })).toMatchObject({ outcome: "applied" });
    await has(256);
    expect(await whyOf(scene, "memory-plugged vm.0")).toMatch(/^changed on one side only/);
    expect(await domain.revert()).toMatchObject({ outcome: "applied" });
    await has(128);
    expect(await domain.change({ resource: "memory-plugged", id: "vm.0", size: 0 }, { scope: "static" })).toMatchObject({
      outcome: "applied",
    });
    expect(await given(scene)).toEqual([[128, 128]]);
    expect(await domain.persist()).toMatchObject({ outcome: "applied" });

    await domain.suspend();
    const paused = await scene.cli("setmem", "web", "0", "--device", "vm.0", "--json");
    expect(JSON.parse(paused.stdout)).toMatchObject({
      outcome: "pending",
      changes: [{ dynamic: { actual: 128 * MIB, wanted: 0, reason: "the guest is paused; it goes to 0B when it runs again" } }],
      takeBack: "qmpctl setmem web 128MiB --device vm.0 --dynamic",
    });
    // QEMU keeps the target, so any other command knows it too.
    expect(await whyOf(scene, "memory-plugged vm.0")).toMatch(/^waits for the guest: asked to go to 0B; /);
    await domain.resume();
    await has(0);
    expect(await domain.change({ resource: "memory-plugged", id: "vm.0", size: 0 })).toMatchObject({ outcome: "unchanged" });

    await domain.destroy();
    expect(await scene.cli("setmem", "web", "320M")).toMatchObject({ code: 0 });
    await expect(domain.change({ resource: "memory-plugged", id: "vm.0", size: 0 }, { scope: "both" })).rejects.toThrow(/not running/);
    await scene.start();
    await has(64);
    expect([await given(scene), await whyOf(scene, "memory-plugged vm.0")]).toEqual([[[64, 64]], null]);
  });

  test("is refused with both words beside a balloon, and each word moves its own", async () => {
    await using scene = await open(qemu);
    const { console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    const refused = await scene.cli("setmem", "web", "300M");
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toMatch(
      /--device vm\.0 for what that device gives besides, or --balloon for what the balloon leaves of the 256MiB/,
    );
    expect((await scene.cli("setmem", "web", "130M", "--device", "vm.0")).code).toBe(0);
    await console.until((report) => near(report.memTotal, memTotal + 130 * MIB) || report.memTotal > memTotal + 100 * MIB);
    expect((await scene.cli("setmem", "web", "200M", "--balloon")).code).toBe(0);
    expect(await scene.ask("query-balloon")).toEqual({ actual: 200 * MIB });
    expect(await given(scene)).toEqual([[130, 130]]);
    for (const [size, why] of [
      ["131M", /131MiB is no multiple of 2MiB.*\n.*130MiB or 132MiB/],
      ["1G", /1GiB is above the 512MiB of memory behind virtio-mem vm\.0/],
    ] as const)
      expect((await scene.cli("setmem", "web", size, "--device", "vm.0", "--both")).stderr).toMatch(why);
    expect((await scene.cli("setmem", "web", "64M", "--device", "vm1")).stderr).toMatch(
      /no virtio-mem device vm1: the running machine has vm\.0/,
    );
  });

  test("of a guest without its driver is pending, and says why; memory.plugged counts before requested-size of args", async () => {
    await using scene = await openScene(qemu, {
      memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 0, limit: "4GiB" }, plugged: { vm0: "64MiB" } },
      guest: { balloonDevice: false, append: "module_blacklist=virtio_mem" },
      args: ["-object", "memory-backend-ram,id=vm0-ram,size=512M", "-device", "virtio-mem-pci,id=vm0,memdev=vm0-ram,requested-size=32M"],
    });
    await scene.start();
    expect(await given(scene)).toEqual([[0, 64]]);
    expect(await whyOf(scene, "memory-plugged vm0")).toMatch(/^waits for the guest: asked to go to 64MiB; no driver in the guest works it/);
    const { code, stdout } = await scene.cli("setmem", "web", "128M", "--device", "vm0", "--both", "--timeout", "1s", "--json");
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      changes: [
        { static: { outcome: "applied" }, dynamic: { outcome: "pending", reason: expect.stringMatching(/no driver in the guest/) } },
      ],
      notes: expect.arrayContaining([expect.stringMatching(/^memory\.plugged vm0 counts, and not requested-size=32MiB of args/)]),
    });
  });
});

// A guest of 5.2 never boots again after a reset.
describe.each(found.filter(({ major }) => major > 5))("virtio-mem across a reset on QEMU $version", (qemu) => {
  test("gives nothing until the guest is up again, and diff says why", async () => {
    await using scene = await open(qemu);
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    expect(await domain.change({ resource: "memory-plugged", id: "vm.0", size: 128 * MIB }, { scope: "both" })).toMatchObject({
      outcome: "applied",
    });
    const harness = await scene.harness();
    // The kernel writes to the same line, of the memory that it takes at that moment.
    const ready = console.says(/GUEST-READY/, { since: "now" });
    await domain.reset();
    await harness.seen("RESET");
    expect([await given(scene), await whyOf(scene, "memory-plugged vm.0")]).toEqual([
      [[0, 128]],
      expect.stringMatching(/^waits for the guest: asked to go to 128MiB; .* a reset takes away all that it gave$/),
    ]);
    // What it was asked for is not what it gives now.
    expect(await domain.persist()).toMatchObject({ outcome: "unchanged" });
    await ready;
    await console.until((report) => near(report.memTotal, memTotal + 128 * MIB));
    expect(await domain.change({ resource: "memory-plugged", id: "vm.0", size: 128 * MIB })).toMatchObject({ outcome: "unchanged" });
    expect(await whyOf(scene, "memory-plugged vm.0")).toBeNull();
  });
});

describe.each(found)("DIMMs on QEMU $version", (qemu) => {
  test("come and go in each scope, running and paused, and a restart has what the config says", async () => {
    await using scene = await openScene(qemu, { memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 2, limit: "1GiB" } } });
    const { console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    const has = (mib: number) => console.until((report) => near(report.memTotal, memTotal + mib * MIB));
    const before = await scene.domain.config();
    const ids = async (): Promise<readonly unknown[]> =>
      ((await scene.ask("query-memory-devices")) as readonly { readonly data: { readonly id: string } }[]).map(({ data }) => data.id);
    const backends = async (): Promise<readonly string[]> =>
      ((await scene.ask("qom-list", { path: "/objects" })) as readonly { readonly name: string }[])
        .map(({ name }) => name)
        .filter((name) => name.endsWith("-ram"))
        .sort();

    expect(await scene.cli("plugmem", "web", "128M", "--both")).toMatchObject({ code: 0, stderr: "" });
    await has(128);
    expect((await scene.cli("plugmem", "web", "2G", "--both")).stderr).toMatch(
      /static: all memory together.*\n.*\n.*dynamic: all memory together/,
    );
    expect(await scene.cli("plugmem", "web", "128M", "--id", "d.2")).toMatchObject({ code: 0 });
    await has(256);
    expect((await scene.cli("plugmem", "web", "128M")).stderr).toMatch(
      /the running QEMU has 2 slots for DIMMs, and this would be number 3/,
    );
    expect([await ids(), await backends()]).toEqual([
      ["dimm1", "d.2"],
      ["d.2-ram", "dimm1-ram"],
    ]);

    await console.tell("unplug refuse");
    const refused = await scene.cli("unplugmem", "web", "dimm1", "--both");
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/refused to let go of DIMM dimm1 .*_OST status 128.*; everything is as it was/),
    });
    await console.tell("unplug allow");
    expect(await scene.domain.revert()).toMatchObject({ outcome: "applied" });
    await has(128);
    expect([await ids(), await backends()]).toEqual([["dimm1"], ["dimm1-ram"]]);

    await scene.domain.suspend();
    expect((await scene.cli("unplugmem", "web", "dimm1", "--both")).code).toBe(5);
    expect(await whyOf(scene, "dimm dimm1")).toMatch(/^waits for the guest: asked to let go of it/);
    expect((await scene.cli("plugmem", "web", "128M", "--id", "dimm1")).stderr).toMatch(/has not done it yet; QEMU can't take that back/);
    expect(await scene.domain.config()).toBe(before);
    await scene.domain.resume();
    await has(0);
    expect((await scene.cli("unplugmem", "web", "dimm1")).code).toBe(0);
    expect([await ids(), await backends()]).toEqual([[], []]);

    await scene.domain.destroy();
    expect((await scene.cli("plugmem", "web", "128M")).code).toBe(0);
    await scene.start();
    // This guest brings up only what comes after its start, so QEMU is asked.
    expect(await ids()).toEqual(["dimm1"]);
    expect(await whyOf(scene, "memory")).toBeNull();
  });
});
