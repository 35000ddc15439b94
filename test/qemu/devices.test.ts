import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import type { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

const PORTS = ["-device", "pcie-root-port,id=rp1,chassis=1,slot=1", "-device", "pcie-root-port,id=rp2,chassis=2,slot=2"];
const DISK =
  "-blockdev null-co,node-name=n1,size=0x100000,read-zeroes=on -device virtio-blk-pci,drive=n1,id=d1,bus=rp1,num-queues=1,serial=007";
const NIC =
  "-netdev user,id=u1,restrict=on,tftp-server-name=7,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:0-:80 -device virtio-net-pci,netdev=u1,id=nic1,bus=rp2,vectors=4";
const RNG = "-device virtio-rng-pci,id=rng1,bus=rp1";
const device = (id: string, words = "absent"): Change => ({ resource: "device", id, words });

describe.each(await qemusInTime())("devices on QEMU $version", (qemu) => {
  test("a disk and a network card come and go in a running guest, and at a start; what they used is freed", async () => {
    // The kernel says on the serial line what it finds on PCI.
    await using scene = await openScene(qemu, { args: PORTS, guest: { append: "loglevel=7" } });
    await scene.start();
    const { domain, console } = scene;
    expect(await domain.change([device("d1", DISK), device("nic1", NIC)], { scope: "both" })).toMatchObject({ outcome: "applied" });
    await console.says(/\[1af4:1042\] type 00/);
    await console.says(/\[1af4:1041\] type 00/);
    expect(await peripherals(scene)).toEqual(expect.arrayContaining(["d1", "nic1"]));
    expect(await domain.disks()).toMatchObject([{ disk: "d1", node: "n1" }]);
    expect(String(await scene.ask("human-monitor-command", { "command-line": "info usernet" })).match(/HOST_FORWARD/g)).toHaveLength(2);
    expect(await domain.change([device("d1", DISK), device("nic1", NIC)], { scope: "both" })).toMatchObject({ outcome: "unchanged" });

    expect(await domain.change(device("d1"), { scope: "dynamic", timeout: 60_000 })).toMatchObject({ outcome: "applied" });
    expect(await peripherals(scene)).not.toContain("d1");
    expect(await scene.ask("query-named-block-nodes")).toEqual([]);
    expect((await domain.diff()).find(({ resource }) => resource === "device d1")).toMatchObject({ config: DISK, live: "absent" });
    expect(await domain.revert({ resource: "device" })).toMatchObject({ outcome: "applied" });
    expect(await domain.change([device("d1"), device("nic1")], { scope: "both", timeout: 60_000 })).toMatchObject({ outcome: "applied" });
    expect((await scene.config()).args.slice(-PORTS.length)).toEqual(PORTS);
    await expect(scene.ask("netdev_del", { id: "u1" })).rejects.toThrow(/not found/);
  });

  test("what can't be plugged leaves nothing behind, and what is refused names the words that are missing", async () => {
    await using scene = await openScene(qemu, { args: PORTS });
    await scene.start({ paused: true });
    const { domain } = scene;
    const before = await stateOf(scene);
    await expect(domain.change(device("d1", DISK.replace("num-queues=1", "num-queues=many")), { scope: "both" })).rejects.toMatchObject({
      code: "rolled-back",
    });
    await expect(domain.change(device("d1", DISK.replace(",bus=rp1", "")), { scope: "both" })).rejects.toThrow(
      /can't be plugged into pcie.0/,
    );
    await expect(domain.change(device("d1", DISK.replace("null-co", "nosuch")), { scope: "both" })).rejects.toMatchObject({
      code: "rolled-back",
    });
    expect(await stateOf(scene)).toEqual(before);
    // Another's device of the same id is not taken for ours, and not unplugged by the undo.
    await scene.ask("device_add", { driver: "virtio-rng-pci", id: "d1", bus: "rp2" });
    await expect(domain.change(device("d1", DISK))).rejects.toThrow(/another device d1 \(virtio-rng-pci\)/);
    expect(await peripherals(scene)).toContain("d1");
  });

  test("each scope in each state", async () => {
    await using scene = await openScene(qemu, { args: PORTS });
    const both = ["applied/skipped", "applied/skipped", "refused", "refused"];
    expect(await ends(scene.domain)).toEqual({ attach: both, detach: both });
    await scene.start({ paused: true });
    // A guest that has not begun to run lets go of nothing, and QEMU would take no second request when it runs.
    expect(await ends(scene.domain, ["current"])).toEqual({ attach: ["skipped/applied"], detach: ["refused"] });
    await scene.domain.resume();
    await scene.domain.suspend();
    expect(await ends(scene.domain, ["current"])).toEqual({ attach: ["skipped/unchanged"], detach: ["skipped/pending"] });
    expect((await scene.domain.diff()).find(({ resource }) => resource === "device rng1")?.why).toMatch(/waits for the guest/);
    await expect(scene.domain.change(device("rng2", RNG.replace("rng1", "rng2")), { scope: "both" })).rejects.toThrow(
      /port rp1 is taken by rng1/,
    );
  });

  test("plugged live only, it is persisted in the words that it was plugged with, also after our process has ended", async () => {
    await using scene = await openScene(qemu, { args: PORTS });
    await scene.start({ paused: true });
    expect((await scene.cli("attach", "web", ...NIC.split(" "), "--live")).code).toBe(0);
    expect((await scene.cli("persist", "web", "device")).code).toBe(0);
    expect((await scene.config()).args.slice(-4)).toEqual(NIC.split(" "));
    await scene.domain.destroy();
    await scene.start({ paused: true });
    expect(await peripherals(scene)).toContain("nic1");
    expect((await scene.domain.diff()).some(({ resource }) => resource.startsWith("device "))).toBe(false);
  });
});

async function ends(domain: Domain, scopes: readonly Scope[] = ["current", "static", "dynamic", "both"]) {
  const table = { attach: [] as string[], detach: [] as string[] };
  for (const scope of scopes)
    for (const [verb, words] of [
      ["attach", RNG],
      ["detach", "absent"],
    ] as const)
      table[verb].push(
        await domain.change(device("rng1", words), { scope, timeout: 3000 }).then(
          ({ changes }) => `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`,
          (error: unknown) => (error instanceof RefusedError ? "refused" : String(error)),
        ),
      );
  return table;
}

async function peripherals(scene: Scene): Promise<readonly string[]> {
  const found = (await scene.ask("qom-list", { path: "/machine/peripheral" })) as readonly { readonly name: string }[];
  return found.map(({ name }) => name);
}

async function stateOf(scene: Scene): Promise<unknown> {
  return [await peripherals(scene), await scene.ask("query-named-block-nodes"), await scene.config()];
}
