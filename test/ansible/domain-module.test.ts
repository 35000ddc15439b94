import { access, chown, readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../scripts/lab/facts.ts";
import { QmpctlError } from "../../src/errors.ts";
import { Outcomes } from "../../src/remote/outcomes.ts";
import { QmpFailure } from "../../src/testing/index.ts";
import { ownFolders } from "../config/folder.ts";
import { definedDomain, runningDomain, type Scene, takeLock } from "../domain/scene.ts";
import { infoTask, task } from "./task.ts";

const noSlots = (): never => {
  throw new QmpFailure("GenericError", "no more slots");
};

const LARGER = { name: "web1", allocation: { memory: { current: 1.5 * GIB }, vcpus: { current: "3" } } };

describe("a task about a running domain", () => {
  test("changes both halves, and the second time nothing", async () => {
    const scene = await runningDomain();
    const first = await task(scene, LARGER);
    expect(first).toMatchObject({ changed: true, name: "web1", state: "running", actions: ["apply"], outcome: "applied", pending: false });
    expect(first).toMatchObject({
      msg: "web1: memory, vcpus applied",
      domain: { live: { memory: 1.5 * GIB, vcpus: 3 }, config: { memory: 1.5 * GIB } },
    });
    expect(first).not.toHaveProperty("failed");
    expect(scene.qemu.actual).toBe(1.5 * GIB);
    const [text, sent] = [await scene.text(), scene.sent().length];
    const second = await task(scene, LARGER);
    expect(second).toMatchObject({ changed: false, outcome: "unchanged", msg: "web1: its allocation is so already" });
    expect([await scene.text(), scene.sent().length]).toEqual([text, sent]);
  });

  test("in check mode touches nothing, and tells what would be done", async () => {
    const scene = await runningDomain();
    const [text, files] = [await scene.text(), await scene.files()];
    const planned = await task(scene, LARGER, { check: true, diff: true, begins: () => expect.unreachable() });
    expect(planned).toMatchObject({ changed: true, outcome: "planned", msg: "web1: would be: memory, vcpus planned" });
    expect(planned["diff"]).toEqual([
      {
        before_header: "web1: allocation",
        after_header: "web1: allocation",
        before: "memory (config): 1GiB\nmemory (live): 1GiB\nvcpus (config): 2\nvcpus (live): 2\n",
        after: "memory (config): 1536MiB\nmemory (live): 1536MiB\nvcpus (config): 3\nvcpus (live): 3\n",
      },
      expect.objectContaining({
        before_header: scene.place.config?.path,
        before: text,
        after: expect.stringContaining('"1536MiB"') as string,
      }),
    ]);
    expect([await scene.text(), await scene.files(), scene.sent()]).toEqual([text, files, []]);
    await expect(access(`${scene.options.stateDir}/outcomes`)).rejects.toThrow();
    expect(await task(scene, { ...LARGER, allocation: { vcpus: { current: 2 } } }, { check: true, diff: true })).toEqual(
      expect.not.objectContaining({ diff: expect.anything() as unknown, changed: true }),
    );
  });

  test("with a difference in reality has the one that was made", async () => {
    const scene = await runningDomain();
    const { diff } = await task(scene, { name: "web1", scope: "dynamic", allocation: { vcpus: { current: 3 } } }, { diff: true });
    expect(diff).toEqual([
      { before_header: "web1: allocation", after_header: "web1: allocation", before: "vcpus (live): 2\n", after: "vcpus (live): 3\n" },
    ]);
  });

  test("that is refused fails in the words of the command line, and nothing was touched", async () => {
    const scene = await runningDomain();
    const answer = await task(scene, { name: "web1", allocation: { memory: { current: "8GiB" } } });
    expect(answer).toMatchObject({ failed: true, changed: false, outcome: "refused", exit_code: 3, error: { code: "refused" } });
    expect(answer["msg"]).toMatch(/^web1: refused, nothing was touched\n {2}static: memory 8GiB is above .*\n {4}instead: /s);
    expect(answer["reports"]).toEqual([{ action: "apply", report: expect.objectContaining({ outcome: "refused" }) as unknown }]);
    expect(scene.sent()).toEqual([]);
  });

  test("that fails in the middle is undone, says so, and is no change", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["device_add"] = noSlots;
    const text = await scene.text();
    const answer = await task(scene, LARGER);
    expect(answer).toMatchObject({ failed: true, changed: false, outcome: "rolled-back", exit_code: 1, error: { code: "rolled-back" } });
    expect(answer["msg"]).toContain("no more slots");
    expect([await scene.text(), scene.qemu.target]).toEqual([text, GIB]);
  });

  test("is kept on the host by a key; one that changes nothing leaves nothing", async () => {
    const scene = await runningDomain();
    const { reports } = await task(scene, LARGER);
    const [{ key }] = reports as readonly [{ readonly key: string }];
    const outcomes = new Outcomes(scene.options.stateDir);
    expect(await outcomes.look(key)).toMatchObject({ state: "done", domain: "web1", value: { outcome: "applied" } });
    await task(scene, LARGER);
    scene.qemu.answers["device_add"] = noSlots;
    await task(scene, { name: "web1", allocation: { vcpus: { current: 4 } } });
    expect(await outcomes.about("web1")).toEqual([
      {
        key: expect.any(String) as string,
        at: expect.any(String) as string,
        state: "failed",
        message: expect.stringContaining("no more slots") as string,
      },
      { key, at: expect.any(String) as string, state: "done" },
    ]);
    expect(await outcomes.about("web2")).toEqual([]);
    expect(await infoTask(scene, { name: "web1", gather: ["outcomes"] })).toMatchObject({
      outcomes: [{ state: "failed" }, { key, state: "done" }],
    });
  });

  test("begins nothing where nobody waits for the answer any more, and keeps nothing of it", async () => {
    const scene = await runningDomain();
    const begins = (): never => {
      throw new QmpctlError("closed", "nobody waits");
    };
    const answer = await task(scene, LARGER, { begins });
    expect(answer).toMatchObject({ failed: true, changed: false });
    expect(answer["msg"]).toContain("nobody waits");
    expect(scene.sent()).toEqual([]);
    expect(await new Outcomes(scene.options.stateDir).about("web1")).toEqual([]);
  });

  test("pauses it and lets it go on, each once", async () => {
    const scene = await runningDomain();
    const paused = { name: "web1", state: "paused" };
    scene.qemu.answers["stop"] = () => void (scene.qemu.status = "paused");
    scene.qemu.answers["cont"] = () => void (scene.qemu.status = "running");
    expect(await task(scene, paused, { check: true, diff: true })).toMatchObject({
      ...{ changed: true, actions: ["suspend"] },
      diff: [{ before_header: "web1: state", before: "state: running\n", after: "state: paused\n" }],
    });
    expect(scene.qemu.status).toBe("running");
    expect(await task(scene, paused)).toMatchObject({ changed: true, state: "paused", msg: "web1: paused" });
    expect(await task(scene, paused)).toMatchObject({ changed: false, state: "paused", msg: "web1: it is so already" });
    expect(await task(scene, { name: "web1", state: "stopped" }, { check: true })).toMatchObject({
      failed: true,
      msg: expect.stringContaining("it is paused") as string,
    });
    expect(await task(scene, { name: "web1", state: "running" })).toMatchObject({ changed: true, state: "running" });
  });

  test("does not decide what to do with a machine that has crashed", async () => {
    const scene = await runningDomain();
    scene.qemu.status = "guest-panicked";
    const answer = await task(scene, { name: "web1", state: "running" });
    expect(answer).toMatchObject({ failed: true, changed: false, exit_code: 3 });
    expect(answer["msg"]).toContain(
      "web1: the guest has panicked, and state=running does not decide what to do about that; qmpctl reset web1",
    );
  });

  test("is not absent while it runs: also a check says so", async () => {
    const scene = await runningDomain();
    for (const check of [true, false])
      expect(await task(scene, { name: "web1", state: "absent" }, { check })).toMatchObject({
        ...{
          failed: true,
          changed: false,
          msg: expect.stringMatching(/^web1: it runs \(process \d+\); shut it down or destroy it first$/) as string,
        },
      });
    expect(await task(scene, { name: "web1", state: "absent", force: true }, { check: true })).toMatchObject({
      changed: true,
      actions: ["destroy", "undefine"],
    });
  });

  test("waits for another writer, and says who it is", async () => {
    const scene = await runningDomain();
    await using _lock = await takeLock(scene, { holder: "somebody" });
    const answer = await task(scene, { ...LARGER, timeout: "300ms" });
    expect(answer).toMatchObject({
      failed: true,
      changed: false,
      error: { code: "locked" },
      msg: expect.stringContaining("somebody") as string,
    });
  });
});

describe("a task about a domain that does not run", () => {
  test("changes its config", async () => {
    const scene = await definedDomain();
    expect(await task(scene, LARGER)).toMatchObject({ changed: true, state: "stopped", domain: { config: { vcpus: 3 } } });
    expect(await task(scene, LARGER)).toMatchObject({ changed: false });
    expect(await task(scene, { ...LARGER, scope: "dynamic" })).toMatchObject({
      failed: true,
      msg: expect.stringContaining("the machine is not running") as string,
    });
  });

  test("removes it once", async () => {
    const scene = await definedDomain();
    const absent = { name: "web1", state: "absent" };
    expect(await task(scene, absent, { check: true })).toMatchObject({ changed: true, actions: ["undefine"] });
    expect(await scene.files()).toEqual(["web1.json"]);
    expect(await task(scene, absent)).toMatchObject({ changed: true, actions: ["undefine"], msg: "web1: its config was removed" });
    expect(await task(scene, absent)).toEqual({
      changed: false,
      name: "web1",
      actions: [],
      reports: [],
      notes: [],
      msg: "web1: it is so already",
      pending: false,
    });
    expect(await task(scene, LARGER)).toMatchObject({
      failed: true,
      changed: false,
      msg: expect.stringContaining("there is no such config") as string,
    });
  });

  test("whose emulator is not there is not started", async () => {
    const scene = await definedDomain({ ...configOf(), emulator: "/nowhere/qemu-system-x86_64" });
    const answer = await task(scene, { ...LARGER, state: "running" });
    // What the config takes was written before it.
    expect(answer).toMatchObject({ failed: true, changed: true, actions: ["apply"], outcome: "applied", error: { code: "host" } });
    expect(answer["msg"]).toContain("/nowhere/qemu-system-x86_64");
  });

  test.skipIf(process.geteuid?.() !== 0)("of another user is told whom to become", async () => {
    const scene = await definedDomain();
    await chown(scene.place.config?.path ?? "", 65534, 65534);
    const answer = await task(scene, LARGER, { uid: 0 });
    expect(answer).toMatchObject({
      failed: true,
      msg: "web1: belongs to the user nobody, and is worked on as that user: become: true with become_user: nobody",
    });
    expect(await infoTask(scene, { name: "web1" }, { uid: 0 })).toMatchObject({
      failed: true,
      msg: expect.stringContaining("become_user") as string,
    });
  });
});

describe("a task that defines", () => {
  const COMMAND = [
    "qemu-system-x86_64",
    "-m",
    "512M",
    "-smp",
    "2,maxcpus=4",
    "-device",
    "virtio-balloon-pci,id=balloon0",
    "-display",
    "none",
  ];
  const SIZES = { memory: { max: "2GiB", current: "1GiB" }, vcpus: { max: 4, current: 2 } };
  const define = { name: "db1", command_line: COMMAND, allocation: { vcpus: { current: 3 }, memory: { current: "256MiB" } } };

  async function folders(): Promise<Pick<Scene, "options">> {
    const own = await ownFolders();
    return { options: { configDir: own.config, runtimeDir: own.runtime, stateDir: own.state, timeout: 5000 } };
  }

  test("writes the config with its allocation, at once, and once", async () => {
    const host = await folders();
    const planned = await task(host, define, { check: true, diff: true });
    expect(planned).toMatchObject({
      changed: true,
      actions: ["define"],
      diff: [{ before: "", after: expect.stringContaining('"256MiB"') as string }],
    });
    await expect(readdir(host.options.configDir)).rejects.toThrow("ENOENT");
    const made = await task(host, define, { diff: true });
    expect(made).toMatchObject({
      changed: true,
      actions: ["define", "apply"],
      outcome: "unchanged",
      domain: { config: { memory: 256 * MIB, vcpus: 3 } },
    });
    expect((made["diff"] as readonly unknown[]).length).toBe(1);
    expect(await task(host, define)).toMatchObject({ changed: false, actions: ["apply"] });
    expect(await task(host, { ...define, command_line: [...COMMAND, "-snapshot"] })).toMatchObject({ changed: false });
  });

  test("replaces what says something else, if told, and nothing that the allocation says", async () => {
    const host = await folders();
    const replace = { ...define, replace: true };
    expect(await task(host, replace)).toMatchObject({ changed: true, actions: ["define", "apply"] });
    expect(await task(host, replace)).toMatchObject({ changed: false, actions: ["apply"] });
    const other = { ...replace, command_line: [...COMMAND, "-snapshot"] };
    expect(await task(host, other, { check: true })).toMatchObject({ changed: true, actions: ["define", "apply"] });
    expect(await task(host, other)).toMatchObject({ changed: true, msg: expect.stringContaining("its config was replaced") as string });
    expect(await task(host, other)).toMatchObject({ changed: false });
    const { config } = await infoTask(host, { name: "db1", gather: ["config"] });
    expect(config).toContain("-snapshot");
    // The same, from its own text.
    expect(await task(host, { ...replace, command_line: null, config })).toMatchObject({ changed: false });
    expect(await task(host, { ...replace, command_line: null, config: JSON.parse(String(config)) as unknown })).toMatchObject({
      changed: false,
    });
  });

  test("takes a line as a shell would read it, and a script", async () => {
    const host = await folders();
    const line = `qemu-system-x86_64 -m 512M -name "guest=db1" -drive 'file=/srv/a b.img,if=virtio'`;
    expect(await task(host, { name: "db1", command_line: line })).toMatchObject({ changed: true });
    expect(await task(host, { name: "db2", config: `#!/bin/sh\nexec ${line.replace("db1", "db2")}\n` })).toMatchObject({ changed: true });
    const { domains } = await infoTask(host, { gather: ["config"] });
    expect((domains as readonly { readonly config: string }[]).map(({ config }) => config.includes("file=/srv/a b.img"))).toEqual([
      true,
      true,
    ]);
  });

  test("defines nothing whose allocation is refused", async () => {
    const host = await folders();
    const answer = await task(host, { ...define, allocation: { vcpus: { current: 9 } } });
    expect(answer).toMatchObject({
      failed: true,
      changed: false,
      msg: expect.stringContaining("db1: refused, nothing was touched") as string,
    });
    await expect(readdir(host.options.configDir)).rejects.toThrow("ENOENT");
  });

  test.each<[string, object, string]>([
    ["what is no QEMU", { command_line: ["ls"] }, "ls"],
    ["a config of another name", { config: { ...configOf(), ...SIZES, name: "db9" } }, "db9"],
    ["a name that can't be one", { name: "a/b c", command_line: COMMAND }, "a/b c"],
    ["a config that is none", { config: { memory: 1 } }, "memory"],
  ])("refuses %s", async (_, given, word) => {
    const host = await folders();
    expect(await task(host, { name: "db1", ...given })).toMatchObject({
      failed: true,
      changed: false,
      msg: expect.stringContaining(word) as string,
    });
  });
});
