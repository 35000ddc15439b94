import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { OBEYS_BUTTON } from "../../scripts/faults/power-button.ts";
import { type Host, isRoot, openHost } from "./host.ts";

// What somebody who did not build it found: kinds of the cases of group A and B that nobody had written down.

/** Renames a config, its own name too, as a person with an editor would; `changes` what else is edited. */
async function renamed(host: Host, from: string, to: string, folder: string = host.config): Promise<void> {
  const config = JSON.parse(await readFile(join(host.config, `${from}.json`), "utf8")) as Record<string, unknown>;
  await writeFile(join(folder, `${to}.json`), JSON.stringify({ ...config, name: to }, null, 2), { mode: 0o600 });
  await rm(join(host.config, `${from}.json`));
}

/** The machine that a config runs by the command line's own word. */
async function pidOf(host: Host, name: string): Promise<number | undefined> {
  return ((await host.info(name)) as { readonly pid?: number }).pid;
}

describe("the id says whose a machine is, not the path that it was started from", () => {
  test("a config that is renamed keeps its machine, also when another one takes the old name", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    const [pid] = host.pids();
    await renamed(host, "web", "web-old");
    await host.define("web");
    expect([await pidOf(host, "web-old"), await pidOf(host, "web")]).toEqual([pid, undefined]);
    expect(await host.cli(["destroy", "web"])).toMatchObject({ code: 3 });
    expect(host.pids()).toEqual([pid]);
    await host.ok("start", "web");
    await host.ok("destroy", "web-old");
    expect(host.pids()).not.toContain(pid);
    expect(host.pids()).toHaveLength(1);
  });

  test("two configs that swap their names keep their machines", async () => {
    await using host = await openHost();
    for (const name of ["a", "b"]) await host.define(name);
    for (const name of ["a", "b"]) await host.ok("start", name);
    const [a, b] = [await pidOf(host, "a"), await pidOf(host, "b")];
    await renamed(host, "a", "c");
    await renamed(host, "b", "a");
    await renamed(host, "c", "b");
    expect([await pidOf(host, "a"), await pidOf(host, "b")]).toEqual([b, a]);
    await host.ok("destroy", "a");
    expect(host.pids()).toEqual([a]);
  });

  test("a file that another id was put into is another machine: it is not started beside the one that runs, and the way out is told", async () => {
    await using host = await openHost();
    const path = await host.define("web");
    await host.ok("start", "web");
    const [pid] = host.pids();
    await writeFile(path, (await readFile(path, "utf8")).replace(/"id": "[^"]*"/, '"id": "00000000-1111-4222-8333-444444444444"'));
    expect(await host.cli(["destroy", "web"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`process ${pid} runs, which was started from this config when its id was`),
    });
    expect(await host.cli(["start", "web"])).toMatchObject({ code: 3 });
    expect(host.pids()).toEqual([pid]);
  });

  test("the record of a start that was killed goes with the config when that is renamed", async () => {
    await using host = await openHost();
    await host.define("a");
    const { code } = await host.cli(["start", "a"], { fault: { call: "rename", path: "notes$", when: "after", nth: 1, act: "kill" } });
    expect([code, host.pids().length]).toEqual([null, 1]);
    await renamed(host, "a", "b");
    expect(await host.cli(["resume", "b"])).toMatchObject({ code: 3, stderr: expect.stringContaining("qmpctl recover b --finish") });
    await host.ok("recover", "b", "--finish");
    expect(await host.peer("a").ask("query-status")).toMatchObject({ running: true });
  });
});

describe("a config without an id", () => {
  test("that is copied to another folder while it runs, and is gone from the first, still has its machine", async () => {
    await using host = await openHost();
    await host.write("a");
    await host.ok("start", "a");
    const [pid] = host.pids();
    const elsewhere = host.path("elsewhere");
    await cp(host.config, elsewhere, { recursive: true });
    await rm(host.config, { recursive: true });
    const there = { env: { ...host.env, QMPCTL_CONFIG_DIR: elsewhere } };
    expect(await host.cli(["start", "a"], there)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`it runs already (process ${pid})`),
    });
    expect(host.pids()).toEqual([pid]);
    await rename(elsewhere, host.config);
  });

  test("that is renamed while it runs is not started beside its machine", async () => {
    await using host = await openHost();
    await host.write("a");
    await host.ok("start", "a");
    const [pid] = host.pids();
    await renamed(host, "a", "b");
    expect(await host.cli(["start", "b"])).toMatchObject({ code: 3, stderr: expect.stringContaining(`process ${pid}`) });
    expect(host.pids()).toEqual([pid]);
  });
});

describe("a QEMU without a name", () => {
  test("that has the words of several configs is nobody's: it is named, and not touched", async () => {
    await using host = await openHost();
    for (const name of ["web1", "web2"])
      await host.ok(
        "define",
        "--name",
        name,
        "--",
        host.qemu.binary,
        "-machine",
        "q35,accel=tcg",
        "-m",
        "64",
        "-nodefaults",
        "-fw_cfg",
        `name=opt/here,string=${host.folder}`,
      );
    const child = spawn(
      host.qemu.binary,
      ["-machine", "q35,accel=tcg", "-m", "64", "-nodefaults", "-fw_cfg", `name=opt/here,string=${host.folder}`, "-display", "none"],
      { stdio: "ignore" },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    for (const name of ["web1", "web2"]) {
      expect(await host.cli(["destroy", name])).toMatchObject({
        code: 3,
        stderr: expect.stringContaining(`process ${child.pid} may be it`),
      });
      expect(await host.cli(["start", name])).toMatchObject({ code: 3, stderr: expect.stringContaining("qmpctl define --pid") });
    }
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    // Adopted, it is the one that was meant.
    await host.ok("define", "--pid", String(child.pid), "--name", "web1", "--replace");
    await host.ok("destroy", "web1");
    if (child.exitCode === null) await once(child, "exit");
  });
});

describe("what is kept of a machine", () => {
  test("does not go with a copy of its config, while it runs and when it is stopped", async () => {
    await using host = await openHost();
    await host.define("a");
    await host.ok("start", "a");
    const copy = async (): Promise<void> =>
      writeFile(join(host.config, "b.json"), (await readFile(join(host.config, "a.json"), "utf8")).replace('"name": "a"', '"name": "b"'), {
        mode: 0o600,
      });
    await copy();
    expect(await host.info("b")).toMatchObject({ state: "stopped", reason: expect.stringContaining("its config has the id of a") });
    expect(await host.info("b")).not.toHaveProperty("ended");
    await host.ok("undefine", "b");
    expect(await host.info("a")).toMatchObject({ state: "running" });
    await host.ok("destroy", "a");
    await copy();
    await host.ok("undefine", "b");
    expect(await host.info("a")).toMatchObject({ state: "stopped", ended: { why: "destroyed" } });
  });

  test("is its own from a restart on, when it was started by hand; how it ended is told of that one too", async () => {
    await using host = await openHost();
    await writeFile(host.path("button.bin"), OBEYS_BUTTON);
    await host.define("a", { args: ["-bios", host.path("button.bin")] });
    const { pid } = await host.hand("a", ["-bios", host.path("button.bin"), "-qmp", `unix:${host.path("own.sock")},server=on,wait=off`]);
    await host.ok("restart", "a");
    expect(await pidOf(host, "a")).not.toBe(pid);
    const { id } = JSON.parse(await readFile(join(host.config, "a.json"), "utf8")) as { readonly id: string };
    expect(await readlink(join(host.run, "a", "lock"))).toBe(join(host.state, `@${id}`, "lock"));
    await host.ok("destroy", "a");
    const { pid: again } = await host.hand("a", [
      "-bios",
      host.path("button.bin"),
      "-qmp",
      `unix:${host.path("own.sock")},server=on,wait=off`,
    ]);
    await host.ok("shutdown", "a");
    expect(host.pids()).not.toContain(again);
    expect(await host.info("a")).toMatchObject({ state: "stopped", ended: { why: "the guest powered off" } });
  });
});

describe("define --pid", () => {
  test("of a process that is no QEMU is refused, so that nothing ends it", async () => {
    await using host = await openHost();
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    expect(await host.cli(["define", "--pid", String(child.pid), "--name", "zy"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`process ${child.pid}: it is "sleep", not a QEMU`),
    });
    expect(await host.cli(["destroy", "zy"])).toMatchObject({ code: 3 });
    expect(child.signalCode).toBeNull();
  });

  test("of a QEMU that another config has adopted is refused, naming that one", async () => {
    await using host = await openHost();
    const { pid } = await host.hand("vm", ["-qmp", `unix:${host.path("own.sock")},server=on,wait=off`]);
    await host.ok("define", "--pid", String(pid), "--name", "vm");
    expect(await host.cli(["define", "--pid", String(pid), "--name", "other"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`process ${pid}: it is vm, which has a config already`),
    });
    expect(host.pids()).toEqual([pid]);
  });
});

describe("what /proc does not show", () => {
  test.runIf(isRoot)("a machine of another pid namespace is there all the same: its sockets are, and it is asked who it is", async () => {
    await using host = await openHost();
    await host.define("a");
    await host.ok("start", "a");
    const [pid] = host.pids();
    const inside = { under: ["unshare", "--pid", "--fork", "--mount-proc"] };
    expect(await host.cli(["start", "a"], inside)).toMatchObject({ code: 3, stderr: expect.stringContaining("it runs already") });
    expect(JSON.parse((await host.cli(["info", "a", "--json"], inside)).stdout)).toMatchObject({ state: "running" });
    expect(host.pids()).toEqual([pid]);
    expect(await host.info("a")).toMatchObject({ state: "running", pid });
  });
});

describe("what is said of it", () => {
  test("a restart that was killed when all was done is over, also when the machine has ended since; one that was killed before its start is not", async () => {
    await using host = await openHost();
    await writeFile(host.path("button.bin"), OBEYS_BUTTON);
    await host.define("a", { args: ["-bios", host.path("button.bin")] });
    await host.ok("start", "a");
    const killed = async (path: string): Promise<void> =>
      expect(
        (
          await host.cli(["restart", "a"], {
            fault: { call: path === "journal$" ? "rm" : "open", path, when: "before", nth: 1, act: "kill" },
          })
        ).code,
      ).toBeNull();
    await killed("journal$");
    expect(await host.info("a")).not.toHaveProperty("interrupted");
    await host.ok("destroy", "a");
    expect(await host.info("a")).not.toHaveProperty("interrupted");
    await host.ok("start", "a");
    await killed("output$");
    expect([host.pids(), await host.info("a")]).toMatchObject([
      [],
      { state: "stopped", interrupted: expect.stringContaining("a restart was interrupted") },
    ]);
    expect(await host.cli(["start", "a"])).toMatchObject({ code: 3 });
    await host.ok("recover", "a", "--finish");
    expect(await host.info("a")).toMatchObject({ state: "running" });
  });

  test("a restart whose start fails says that the machine was ended for it, and how to start it", async () => {
    await using host = await openHost();
    await writeFile(host.path("button.bin"), OBEYS_BUTTON);
    const path = await host.define("a", { args: ["-bios", host.path("button.bin")] });
    await host.ok("start", "a");
    await writeFile(path, (await readFile(path, "utf8")).replace('"args": [', '"args": ["-device", "nosuch", '));
    const { code, stderr } = await host.cli(["restart", "a"]);
    expect([code, host.pids()]).toEqual([4, []]);
    expect(stderr).toMatch(
      /'nosuch' is not a valid device model name.*; it had shut down for this restart, and is stopped now: qmpctl start a/,
    );
  });

  test("a QEMU that a signal has stopped is told as that by every verb, not as one whose monitor others hold", async () => {
    await using host = await openHost();
    await host.define("a");
    await host.ok("start", "a");
    const [pid = 0] = host.pids();
    process.kill(pid, "SIGSTOP");
    onTestFinished(() => void (host.pids().includes(pid) && process.kill(pid, "SIGCONT")));
    for (const words of [
      ["suspend", "a", "--timeout", "1s"],
      ["shutdown", "a", "--timeout", "1s"],
      ["qmp", "a", "query-status", "--timeout", "1s"],
    ]) {
      expect((await host.cli(words)).stderr, words.join(" ")).toContain(
        `QEMU (process ${pid}) is stopped by a signal and answers nothing; kill -CONT ${pid} lets it go on`,
      );
    }
    process.kill(pid, "SIGCONT");
    await host.ok("destroy", "a");
  });

  test("an emulator that writes its pidfile elsewhere is told as that, at once", async () => {
    await using host = await openHost();
    await writeFile(host.path("wrapper"), `#!/bin/sh\nexec ${host.qemu.binary} "$@" -pidfile ${host.path("other.pid")}\n`, { mode: 0o755 });
    await host.define("a", { emulator: host.path("wrapper") });
    const { code, stderr } = await host.cli(["start", "a"]);
    expect([code, host.pids()]).toEqual([1, []]);
    expect(stderr).toMatch(/has written no pidfile at .*run\/a\/pid: does its program add a -pidfile of its own\?/);
  });
});
