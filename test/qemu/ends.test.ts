import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tryFewKills } from "../../scripts/faults/ends.ts";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { type Timers, timersIn } from "../../scripts/lab/timers.ts";
import { type Host, openHost } from "./host.ts";

// Real QEMU, and stand-ins for the host's timers: they keep what they are told to run, and a test runs it, with a timer's bare environment.
// By real timers: npm run faults -- --vm.
describe.each(await qemusInTime(1))("changes with an end, QEMU $version", (qemu) => {
  let host: Host;
  let timers: Timers;
  beforeAll(async () => {
    host = await openHost(qemu);
    await mkdir(host.path("timers"));
    timers = await timersIn(host.path("timers"));
    await host.define("web1");
    await host.ok("start", "web1", "--paused");
  }, 60_000);
  afterAll(() => host?.[Symbol.asyncDispose]());

  const session = () => ({ env: { ...host.env, PATH: `${timers.folder}:${process.env["PATH"]}` } });
  /** By the kernel's word. */
  const policyOf = async (role: "vcpu" | "main"): Promise<string> => {
    const [{ "thread-id": vcpu }] = (await host.peer("web1").ask("query-cpus-fast")) as [{ readonly "thread-id": number }];
    const { stdout } = await promisify(execFile)("chrt", ["-p", String(role === "vcpu" ? vcpu : host.pids()[0])]);
    return /SCHED_(\w+)/.exec(stdout)?.[1]?.toLowerCase() ?? stdout;
  };

  test("at night and next morning: what its timer was told to run takes back what is still as it was left", async () => {
    expect((await host.cli(["vcpusched", "web1", "0", "batch", "--live", "--until", "07:00"], session())).code).toBe(0);
    expect((await host.cli(["emulatorsched", "web1", "batch", "--live", "--until", "07:00"], session())).code).toBe(0);
    expect(await policyOf("vcpu")).toBe("batch");
    expect((await host.cli(["emulatorsched", "web1", "idle", "--live"], session())).stdout).toMatch(/that will not touch it/);
    const text = await host.text("web1");
    for (const name of await timers.armed()) expect(await timers.fire(name)).toMatchObject({ code: 0 });
    expect([await policyOf("vcpu"), await policyOf("main")]).toEqual(["other", "idle"]);
    expect((await host.info("web1")).lastEnd.notes.join()).toMatch(/left at batch, is idle now: not touched|vcpu-sched 0: batch -> other/);
    expect(await host.text("web1")).toBe(text);
  }, 60_000);

  test("over another host it is armed there, and its timer needs no file of this side", async () => {
    const ssh = join(timers.folder, "ssh-here");
    const folders = Object.entries(host.env).filter(([name]) => name.startsWith("QMPCTL_"));
    const env = [`PATH="${timers.folder}:$PATH"`, ...folders.map(([name, value]) => `${name}='${value}'`)].join(" ");
    // As sshd does: the command goes to a shell, in another folder, without our environment.
    await writeFile(ssh, `#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\ncd /\nexport ${env}\nexec sh -c "$*"\n`);
    await chmod(ssh, 0o755);
    const over = { env: { ...host.env, QMPCTL_SSH: ssh, QMPCTL_CONFIG_DIR: "/nonexistent", QMPCTL_STATE_DIR: "/nonexistent" } };
    const { code, stdout, stderr } = await host.cli(["-H", "kvm1", "vcpusched", "web1", "0", "batch", "--live", "--for", "8h"], over);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/until .* then other again/);
    const [timer = ""] = await timers.armed();
    expect((await timers.told(timer)).join(" ")).not.toContain("/dist/");
    expect((await host.cli(["-H", "kvm1", "info", "web1"], over)).stdout).toMatch(/^until .*vcpu-sched 0 batch, then other again/m);
    const fired = await timers.fire(timer);
    expect([fired.code, fired.stderr, await policyOf("vcpu")]).toEqual([0, "", "other"]);
    expect((await host.info("web1")).lastEnd.notes).toEqual(["vcpu-sched 0: batch -> other, applied"]);
  }, 60_000);

  test("a program that was moved away meanwhile fails loudly, and info says that the end is overdue", async () => {
    await host.cli(["vcpusched", "web1", "0", "batch", "--live", "--for", "10s"], session());
    const [timer = ""] = await timers.armed();
    const told = (await timers.told(timer)).map((word) => word.replace(/dist\/cli\/main\.js$/, "gone/main.js"));
    await writeFile(join(timers.folder, "units", timer), `${told.join("\n")}\n`);
    const { code, stderr } = await timers.fire(timer);
    expect([code === 0, stderr]).toEqual([false, expect.stringMatching(/gone\/main\.js/)]);
    // As two minutes later.
    const path = join(await host.books(), "ends");
    await writeFile(path, (await readFile(path, "utf8")).replace(/"due":"[^"]*"/, '"due":"2026-01-01T00:00:00.000Z"'));
    expect(await host.ok("info", "web1")).toMatch(/^until .*: overdue; qmpctl revert web1 --end [0-9a-f]{12}: vcpu-sched 0 batch/m);
    await host.cli(["revert", "web1"], session());
  }, 60_000);

  test("a writer that is killed leaves no lasting change without its end, and no timer that takes back what it does not know", async () => {
    // All moments: npm run faults -- --ends.
    const { env } = host;
    await tryFewKills({ env, cli: (words, how) => host.cli(words, how), policy: () => policyOf("vcpu") }, timers);
  }, 120_000);
});
