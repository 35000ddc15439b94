import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene } from "../../scripts/lab/scene.ts";
import { isAlive } from "../../src/host/threads.ts";

describe.each(await qemusInTime())("the life of a machine on QEMU $version", (qemu) => {
  test("start, suspend, resume, reset, shutdown and start again, by the command line", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 2, current: 2, pin: { 1: "1" } } });
    const { console } = scene;
    const run = async (...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await scene.cli(...words);
      expect({ code, stderr }, words.join(" ")).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    await run("start", "web");
    await console.booted(1);
    const pid = await scene.pid();
    expect(await scene.mask(1)).toBe("1");
    expect(JSON.parse(await run("info", "web", "--json"))).toMatchObject({
      state: "running",
      pid,
      version: qemu.version,
      live: { vcpus: 2, maxVcpus: 2 },
    });
    expect((await scene.cli("start", "web")).code).toBe(3);

    await run("suspend", "web");
    expect(await scene.ask("query-status")).toMatchObject({ running: false, status: "paused" });
    expect(await scene.domain.info()).toMatchObject({ state: "paused" });
    expect((await scene.cli("shutdown", "web")).stderr).toMatch(/it is paused.*resume it first, or destroy it/);
    await run("resume", "web");
    await console.next();

    const again = qemu.major > 5 ? console.says(/GUEST-READY/, { since: "now" }) : undefined;
    const reset = (await scene.harness()).seen("RESET");
    await run("reset", "web");
    // QEMU 5.2 resets the machine, and its guest hangs before the kernel's first word: it is destroyed below instead.
    await reset;
    await again;
    expect(await scene.pid()).toBe(pid);
    expect((await scene.cli("undefine", "web")).code).toBe(3);

    await run(qemu.major > 5 ? "shutdown" : "destroy", "web");
    if (qemu.major > 5) expect(console.lines).toContain("GUEST-POWEROFF");
    expect(await isAlive(pid)).toBe(false);
    expect(await run("list", "--all")).toMatch(/web +stopped/);
    await run("start", "web");
    await console.booted(2);
    expect(await scene.pid()).not.toBe(pid);
    await run("destroy", "web");
    await run("undefine", "web");
    expect(await readdir(scene.options.configDir ?? "")).toEqual([]);
  });

  test("a guest that ignores the power button: told so at the deadline, and it goes on; destroy ends it", async () => {
    await using scene = await openScene(qemu, { guest: { words: ["qmpctl.powerbutton=ignore"] } });
    await scene.start();
    const { code, stderr } = await scene.cli("shutdown", "web", "--timeout", "2s");
    expect(code).toBe(5);
    expect(stderr).toMatch(/the guest did not shut down within 2 s.*qmpctl destroy web/);
    await scene.console.next();
    const pid = await scene.pid();
    expect(await scene.domain.destroy()).toMatchObject({ how: "destroyed" });
    expect(await isAlive(pid)).toBe(false);
    await expect(scene.domain.destroy()).rejects.toThrow(/it does not run/);
  });

  test("with -no-shutdown a guest that powered off leaves its QEMU: it is told to go too", async () => {
    await using scene = await openScene(qemu, { args: ["-no-shutdown"] });
    await scene.start();
    const pid = await scene.pid();
    expect(await scene.domain.shutdown()).toMatchObject({ how: "the guest powered off" });
    expect(scene.console.lines).toContain("GUEST-POWEROFF");
    expect(await isAlive(pid)).toBe(false);
  });

  test("a start that fails brings QEMU's own words and leaves nothing behind", async () => {
    await using scene = await openScene(qemu, { args: ["-device", "no-such-device"] });
    const { code, stderr } = await scene.cli("start", "web");
    expect(code).toBe(1);
    expect(stderr).toMatch(/could not start the machine: .*'no-such-device' is not a valid device model name/);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    await scene.edit((config) => (config.args[config.args.indexOf("no-such-device")] = "virtio-rng-pci"));
    expect(await scene.start({ paused: true })).toMatchObject({ vcpus: 1, notes: ["it is paused, as asked"] });
  });

  test("a machine that is not what its config says is ended again", async () => {
    await using scene = await openScene(qemu, { memory: { max: "512MiB", current: "256MiB" }, guest: { balloonDevice: false } });
    await expect(scene.domain.start()).rejects.toThrow(/memory.current 256MiB is below memory.max 512MiB, which needs a balloon device/);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    // QEMU had been there, and dialled in.
    expect(scene.console.boots).toBe(1);
    expect(await readdir(join(scene.options.runtimeDir ?? "", "web"))).not.toContain("pid");
  });

  test("a pin to a CPU that the host does not have is found before QEMU is started", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 2, current: 1, pin: { 0: "4000" } } });
    await expect(scene.domain.start()).rejects.toThrow(/it can't start, and nothing was touched: .*4000/);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    expect(scene.console.boots).toBe(0);
    expect(existsSync(join(scene.options.runtimeDir ?? "", "web"))).toBe(false);
  });

  test("a QEMU that was killed is stopped, also when its pid is somebody else's by now", async () => {
    await using scene = await openScene(qemu);
    await scene.start({ paused: true });
    await scene.kill();
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    await writeFile(join(scene.options.runtimeDir ?? "", "web", "pid"), `${process.pid}\n`);
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
    await scene.start({ paused: true });
    expect(await scene.domain.info()).toMatchObject({ state: "paused", pid: await scene.pid() });
    // The threads carry their names, for those who look with ps.
    expect(execFileSync("ps", ["-L", "-o", "comm=", "-p", String(await scene.pid())], { encoding: "utf8" })).toMatch(/^CPU 0\/TCG$/m);
    expect(await readFile(`/proc/${await scene.pid()}/cmdline`, "utf8")).toMatch(/guest=web,debug-threads=on/);
  });
});
