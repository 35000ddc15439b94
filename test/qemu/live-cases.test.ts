import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { openHost } from "./host.ts";

// Cases D1, D3, D4 and D5 of SCOPES.md: what is said of the live machine, and that `diff`, `persist`, `setmem --live` and `restart` agree
// on
// it.

interface Row {
  readonly resource: string;
  readonly config: unknown;
  readonly live: unknown;
  readonly why: string | null;
  readonly guestAge?: string;
}

async function rows(scene: Scene): Promise<Readonly<Record<string, Row>>> {
  return Object.fromEntries(((await scene.domain.diff()) as readonly Row[]).map((row) => [row.resource, row]));
}

const versions = await qemusInTime();

describe.each(versions.filter(({ major }) => major === 7 || major >= 11))(
  "D1: memory beside what the machine was started with, on QEMU $version",
  (qemu: Qemu) => {
    test("DIMMs and virtio-mem make no machine grow by persist, and setmem knows what the balloon can give", async () => {
      const args = ["-object", "memory-backend-ram,id=vm0,size=512M", "-device", "virtio-mem-pci,id=vmem0,memdev=vm0,requested-size=0"];
      await using scene = await openScene(qemu, {
        memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 2, limit: "2GiB" } },
        args,
      });
      const { domain, console } = scene;
      await scene.start();
      await scene.ask("qom-set", { path: "vmem0", property: "requested-size", value: 128 * MIB });
      const sizes = async (): Promise<unknown> =>
        ((await scene.ask("query-memory-size-summary")) as { "plugged-memory": number })["plugged-memory"];
      while ((await sizes()) !== 128 * MIB) await console.next();
      expect(await rows(scene)).toMatchObject({ memory: { live: 256 * MIB, why: null }, "max-memory": { live: 256 * MIB, why: null } });
      expect(await domain.info()).toMatchObject({ live: { memory: 256 * MIB, maxMemory: 256 * MIB, virtioMem: 128 * MIB } });
      await expect(domain.setMemory(300 * MIB, { scope: "dynamic" })).rejects.toThrow(
        /above the 256MiB that the machine was started with \(the 128MiB of virtio-mem are beside it/,
      );

      const { memTotal } = await console.next();
      await scene.ask("object-add", { "qom-type": "memory-backend-ram", id: "ram1", size: 128 * MIB });
      await scene.ask("device_add", { driver: "pc-dimm", id: "dimm1", memdev: "ram1" });
      await console.until((report) => report.memTotal >= memTotal + 128 * MIB);
      // It has arrived: nobody waits for the guest.
      expect(await rows(scene)).toMatchObject({ memory: { live: 384 * MIB, why: null }, "max-memory": { live: 256 * MIB, why: null } });
      // Each has a row of its own, and that alone differs.
      expect(await rows(scene)).toMatchObject({
        "dimm dimm1": { config: 0, live: 128 * MIB, why: expect.stringMatching(/^changed on one side/) },
        "memory-plugged vmem0": { config: 0, live: 128 * MIB, why: expect.stringMatching(/^changed on one side/) },
      });
      expect(await domain.persist()).toMatchObject({ outcome: "applied" });
      expect(await scene.config()).toMatchObject({ memory: { max: "256MiB", current: "256MiB", plugged: { vmem0: "128MiB" } } });
      expect(await domain.revert()).toMatchObject({ outcome: "unchanged" });

      expect(await domain.setMemory(320 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
      expect(await rows(scene)).toMatchObject({ memory: { live: 320 * MIB, why: expect.stringMatching(/^changed on one side/) } });
      expect(await domain.revert()).toMatchObject({
        outcome: "applied",
        changes: expect.arrayContaining([expect.objectContaining({ dynamic: expect.objectContaining({ actual: 384 * MIB }) })]),
      });
      expect(await domain.setMemory(200 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
      expect(await domain.persist()).toMatchObject({ outcome: "applied" });
      expect(await scene.config()).toMatchObject({ memory: { max: "256MiB", current: "72MiB" } });
      expect(await rows(scene)).toMatchObject({ memory: { live: 200 * MIB, why: null, guestAge: "asked every 5 s" } });
      expect(near(Number((await rows(scene))["memory"]?.live), 200 * MIB)).toBe(true);
    });
  },
);

describe.each(versions.filter(({ major }) => major === 7 || major >= 11))(
  "D3: machines that can't plug vCPUs, on QEMU $version",
  (qemu) => {
    test("microvm has no maximum to compare, and persist leaves the config's alone", async () => {
      await using host = await openHost(qemu);
      const vcpus = { max: 4, current: 2 };
      const path = await host.define("web", { vcpus });
      const config = JSON.parse(await host.text("web"));
      // Without the words of q35 and its PCI.
      const args = (config.args as string[])
        .slice(2)
        .filter((word, index, all) => !/virtio-balloon/.test(word) && !/virtio-balloon/.test(all[index + 1] ?? ""));
      await writeFile(path, JSON.stringify({ ...config, args: ["-machine", "microvm,accel=tcg", ...args] }, null, 2), { mode: 0o600 });
      await host.ok("start", "web");
      const found = JSON.parse(await host.ok("diff", "web", "--json")) as readonly Row[];
      expect(found.find(({ resource }) => resource === "max-vcpus")).toMatchObject({ config: vcpus.max, live: null, why: null });
      expect(JSON.parse(await host.ok("info", "web", "--json"))).toMatchObject({ live: { vcpus: vcpus.current, maxVcpus: null } });
      const before = await host.text("web");
      await host.ok("persist", "web");
      expect(await host.text("web")).toBe(before);
    });
  },
);

describe.each(versions.filter(({ major }) => major >= 7))("D4: what can't be taken back, on QEMU $version", (qemu) => {
  test("is said at once; the rest of a revert is done, and of one resource all", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 3, current: 3 } });
    const { domain } = scene;
    await scene.start();
    const fewer = await domain.setVcpus(1, { scope: "dynamic" });
    expect(fewer).toMatchObject({ outcome: "applied" });
    expect(fewer.notes).toContainEqual(
      expect.stringMatching(/^vCPUs 1 and 2 can't come back while this QEMU runs: QEMU .*; qmpctl restart web is the way$/),
    );
    await domain.setMemory(400 * MIB, { scope: "dynamic" });
    expect(await domain.revert({ resource: "memory" })).toMatchObject({
      outcome: "applied",
      changes: [{ change: { resource: "memory" }, dynamic: { actual: 512 * MIB } }],
    });
    await domain.setMemory(400 * MIB, { scope: "dynamic" });
    const { code, stdout, stderr } = await scene.cli("revert", "web", "--json");
    expect([code, JSON.parse(stdout || stderr)]).toMatchObject([
      4,
      {
        outcome: "failed",
        changes: [
          { dynamic: { outcome: "applied", actual: 512 * MIB } },
          { change: { resource: "vcpus" }, dynamic: { outcome: "skipped", actual: 1, reason: expect.stringMatching(/TCG/) } },
        ],
      },
    ]);
    expect(await scene.ask("query-balloon")).toEqual({ actual: 512 * MIB });
    await expect(domain.revert()).rejects.toMatchObject({ code: "refused" });
    // 7.2 dies of a reset now, its guest's own among them.
    if (qemu.major < 10)
      await expect(domain.reset()).rejects.toThrow(/dies at a reset after vCPUs 1 and 2 were unplugged; qmpctl restart web/);
    expect(fewer.notes.some((note) => /a reboot from inside the guest ends it/.test(note))).toBe(qemu.major < 10);
  });
});

test("D5: a mask that QEMU was started with is told by diff, given up by revert, and written by persist", async () => {
  const [qemu] = versions.slice(-1);
  await using host = await openHost(qemu);
  await host.define("web");
  await host.ok("define", await host.write("pinned", { folder: host.path("drafts") }));
  expect((await host.cli(["start", "web"], { under: ["taskset", "-c", "0"] })).code).toBe(0);
  const row = async (): Promise<unknown> =>
    (JSON.parse(await host.ok("diff", "web", "--json")) as readonly Row[]).find(({ resource }) => resource === "vcpu-pin 0");
  expect(await row()).toMatchObject({
    config: "all",
    live: "0",
    why: expect.stringMatching(/inherited from its QEMU, which was started on CPU 0 \(as taskset does\)/),
  });
  await host.ok("revert", "web");
  expect([await row(), await host.masks("web")]).toEqual([undefined, [expect.stringMatching(/^0-/)]]);
  expect((await host.cli(["start", "pinned"], { under: ["taskset", "-c", "0"] })).code).toBe(0);
  await host.ok("persist", "pinned");
  expect(JSON.parse(await host.text("pinned"))).toMatchObject({ vcpus: { pin: { 0: "0" } } });
});
