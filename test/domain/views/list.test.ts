import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import { listDomains } from "../../../src/domain/views/list.ts";
import { monitor } from "../../qmp/peer.ts";
import { definedDomain, runningDomain } from "../scene.ts";

describe("the list of domains", () => {
  test("has those that run, by name; with `all` every one", async () => {
    const first = await definedDomain();
    const second = await definedDomain({ ...configOf(), name: "alpha" }, "alpha", first.options);
    const { process } = await runningDomain({ scene: second });
    expect((await listDomains({ ...first.options, timeout: 5000 })).map(({ name, state }) => [name, state])).toEqual([
      ["alpha", "running"],
    ]);
    const all = await listDomains({ ...first.options, all: true, timeout: 5000 });
    expect(all.map(({ name, state }) => [name, state])).toEqual([
      ["alpha", "running"],
      ["web1", "stopped"],
    ]);
    expect(all[0]).toMatchObject({
      pid: process.pid,
      transient: false,
      version: "10.0.0",
      live: { memory: GIB, maxMemory: 2 * GIB, vcpus: 2, maxVcpus: 4 },
      config: { vcpus: 2 },
    });
    expect(all[0]?.uptime).toBeGreaterThanOrEqual(0);
    expect(all[1]).not.toHaveProperty("live");
  });

  test("tells what the config has besides: DIMMs of its args, and virtio-mem as its key says", async () => {
    const args = ["-object", "memory-backend-ram,id=r,size=128M", "-device", "pc-dimm,id=d,memdev=r"];
    const mem = [
      "-device",
      "virtio-mem-pci,id=a,memdev=x,requested-size=256M",
      "-device",
      "virtio-mem-pci,id=b,memdev=y,requested-size=2M",
    ];
    const scene = await definedDomain(configOf({ args: [...args, ...mem], memory: { plugged: { a: 512 * MIB } } }));
    const [info] = await listDomains({ ...scene.options, all: true });
    expect(info?.config).toMatchObject({ memory: GIB + 128 * MIB, maxMemory: 2 * GIB + 128 * MIB, dimms: 128 * MIB, virtioMem: 514 * MIB });
  });

  test("is held up by one that does not answer no longer than that one's deadline, and says why", async () => {
    const scene = await definedDomain();
    for (const name of ["busy", "deaf"]) {
      await runningDomain({ scene: await definedDomain({ ...configOf(), name }, name, scene.options), weather: { greeting: "never" } });
    }
    await runningDomain({ scene });
    const start = performance.now();
    const found = await listDomains({ ...scene.options, timeout: 1500 });
    expect(performance.now() - start).toBeLessThan(2 * 1500);
    expect(found).toMatchObject([
      { name: "busy", state: "unreachable", reason: expect.any(String) as string },
      { name: "deaf", state: "unreachable" },
      { name: "web1", state: "running" },
    ]);
    expect(found[0]).toMatchObject({ config: { memory: GIB } });
  });

  test("E3: is not held up by one that greets, negotiates, and answers nothing more", async () => {
    await using silent = await monitor(() => undefined);
    const scene = await definedDomain({ ...configOf(), monitor: silent.address.replace("unix:", "") });
    const start = performance.now();
    expect(await listDomains({ ...scene.options, timeout: 500 })).toMatchObject([{ name: "web1", state: "unreachable" }]);
    // Far from the 30 s that a question may take.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test("shows a broken config as what it is, beside the others", async () => {
    const scene = await definedDomain();
    await writeFile(join(scene.options.configDir, "broken.json"), "{", { mode: 0o600 });
    const found = await listDomains({ ...scene.options, all: true });
    expect(found).toMatchObject([
      { name: "broken", state: "damaged", reason: expect.stringContaining("broken.json") as string },
      { name: "web1", state: "stopped" },
    ]);
  });

  test("is empty where there is no folder, and where it holds something else", async () => {
    const { options } = await definedDomain();
    expect(await listDomains({ ...options, configDir: join(options.configDir, "none"), all: true })).toEqual([]);
    const other = join(options.configDir, "other");
    await mkdir(other);
    await writeFile(join(other, "notes.txt"), "");
    expect(await listDomains({ ...options, configDir: other, all: true })).toEqual([]);
  });

  test("ends with an abort's reason", async () => {
    const { options } = await definedDomain();
    await runningDomain({ scene: await definedDomain({ ...configOf(), name: "busy" }, "busy", options), weather: { greeting: "never" } });
    const reason = new Error("ctrl-c");
    await expect(listDomains({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("a machine that runs", () => {
  test("shows each vCPU with its thread, and those that there is room for", async () => {
    const { domain, qemu } = await runningDomain({ scene: await definedDomain(configOf({ vcpus: { pin: { "0": "0", "3": "0" } } })) });
    await domain.setVcpus(3);
    const shown = await domain.vcpus();
    expect(shown.map(({ vcpu, online, pin }) => [vcpu, online, pin])).toEqual([
      [0, true, "0"],
      [1, true, null],
      [2, true, null],
      [3, false, "0"],
    ]);
    expect(shown[2]?.tid).toBeGreaterThan(0);
    expect(shown[0]).toMatchObject({
      name: expect.any(String) as string,
      cpu: expect.any(Number) as number,
      cpuTime: expect.any(Number) as number,
      affinity: expect.any(String) as string,
    });
    expect(shown[3]).toMatchObject({ tid: null, name: null, cpu: null, cpuTime: null, affinity: null });
    qemu.status = "paused";
    expect(await domain.info()).toMatchObject({ state: "paused" });
  });

  test("that ends while it is looked at is stopped, not unreachable", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["query-status"] = async () => {
      await scene.process.kill();
      await scene.monitor.exit();
    };
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  });

  test("is read through the second monitor while somebody holds the first", async () => {
    const { domain, monitor } = await runningDomain();
    await using _held = await domain.connect();
    const before = monitor.said.length;
    expect(await domain.info({ timeout: 5000 })).toMatchObject({ state: "running", live: { memory: 1024 * MIB } });
    expect(new Set(monitor.said.slice(before).map((it) => it.monitor))).toEqual(new Set(["watch"]));
  });
});
