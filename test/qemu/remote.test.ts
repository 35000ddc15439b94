import { execFileSync } from "node:child_process";
import { symlink } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, missingForHosts, startHosts } from "../../scripts/lab/hosts.ts";
import { privateFolder } from "../../scripts/lab/machine.ts";
import { Host as RemoteHost, LostError } from "../../src/index.ts";
import { program } from "../cli/program.ts";
import { bashInTerminal, lineIn } from "../cli/pty.ts";
import { beginOver, type Begun, type Ended, until } from "./over-ssh.ts";

// Hosts of their own on this machine, each with an sshd: what is done on them is done by what a real ssh starts there.
const missing = await missingForHosts();
if (missing.length > 0)
  console.log(`no hosts can be started here: ${missing.join(", ")} missing; npm run testbed -- --install --hosts, as root`);

const MACHINE = [
  "-machine",
  "q35,accel=tcg",
  "-m",
  "256M",
  "-smp",
  "2,maxcpus=4",
  "-device",
  "virtio-balloon-pci,id=balloon0",
  "-display",
  "none",
  "-nodefaults",
  "-no-user-config",
];

describe.skipIf(missing.length > 0)("on other hosts, over a real ssh", () => {
  let hosts: Hosts;
  let kvm1: Host;
  let kvm2: Host;
  beforeAll(async () => {
    hosts = await startHosts(2);
    [kvm1, kvm2] = hosts.all as [Host, Host];
    for (const host of [kvm1, kvm2]) {
      expect(await qmpctl("-H", host.name, "define", "--name", "web1", "--", "qemu-system-x86_64", ...MACHINE)).toMatchObject({ code: 0 });
    }
    expect(await qmpctl("-H", kvm1.name, "start", "web1")).toMatchObject({ code: 0, stderr: "" });
  }, 60_000);
  afterAll(async () => hosts[Symbol.asyncDispose]());

  function begin(...words: readonly string[]): Begun {
    return beginOver(hosts.ssh, words);
  }

  async function qmpctl(...words: readonly string[]): Promise<Ended> {
    return begin(...words).ended;
  }

  /** The processes of a host that are ours: none is to be left when a call is over. */
  async function left(host: Host): Promise<readonly string[]> {
    const all = (await host.exec("ps", "-eo", "args=")).split("\n");
    return all.filter((line) => /node|qmpctl/.test(line) && !/qemu-system|^sshd:/.test(line));
  }

  test("a machine is worked on there: its lock, its config, its pins; and nothing of ours is left", async () => {
    const change = await qmpctl("-H", kvm1.name, "vcpupin", "web1", "1", "0", "--both");
    expect(change).toMatchObject({ code: 0, stderr: "" });
    const tid = /CPU 1\/TCG.*?(\d+)|(\d+)\s+CPU 1\/TCG/.exec((await qmpctl("vcpuinfo", `ssh://${kvm1.name}/web1`)).stdout);
    expect(tid).not.toBeNull();
    const threads = await kvm1.exec(
      "sh",
      "-c",
      `for t in /proc/$(cat ${kvm1.folder}/run/web1/pid)/task/*; do grep -l 'CPU 1/' $t/comm; done`,
    );
    const status = await kvm1.exec("grep", "Cpus_allowed_list", threads.trim().replace("/comm", "/status"));
    expect(status.trim()).toBe("Cpus_allowed_list:\t0");
    expect(await kvm1.exec("grep", "-c", '"pin"', `${kvm1.folder}/config/web1.json`)).toBe("1\n");
    expect((await qmpctl("-H", kvm2.name, "vcpuinfo", "web1")).stdout).not.toContain("CPU 1/TCG");
    expect(await left(kvm1)).toEqual([]);
  });

  test("the commands of a report are to be typed here", async () => {
    const change = await qmpctl("-H", kvm1.name, "setmem", "web1", "200M", "--dynamic", "--timeout", "1s", "--force");
    expect(change.code).toBe(5);
    expect(change.stdout).toContain(`to undo it:    qmpctl setmem ssh://${kvm1.name}/web1 256MiB --dynamic`);
    expect(await qmpctl("setmem", `ssh://${kvm1.name}/web1`, "256MiB", "--dynamic")).toMatchObject({ code: 0 });
    const none = await qmpctl("-H", kvm2.name, "suspend", "web1");
    expect(none.stderr).toContain(`qmpctl start ssh://${kvm2.name}/web1`);
  });

  test("QMP, the shell's and the events' way goes to its monitor there", async () => {
    expect(await qmpctl("-H", kvm1.name, "qmp", "web1", "query-status")).toMatchObject({ code: 0 });
    const events = begin("-H", kvm1.name, "events", "web1", "STOP", "--count", "1", "--timeout", "60s");
    await until(
      async () =>
        (await kvm1.exec("ss", "-xp")).split("\n").filter((line) => line.includes("watch.sock") && line.includes("ESTAB")).length > 0,
    );
    expect(await qmpctl("-H", kvm1.name, "suspend", "web1")).toMatchObject({ code: 0 });
    expect((await events.ended).stdout).toContain('"event":"STOP"');
    expect(await qmpctl("-H", kvm1.name, "resume", "web1")).toMatchObject({ code: 0 });
  });

  test("a file of this host is defined there", async () => {
    await using folder = await privateFolder();
    const path = `${folder.path}/db1.sh`;
    execFileSync("sh", ["-c", `printf '%s\\n' "qemu-system-x86_64 ${MACHINE.join(" ")} -drive file=disk.img,if=none,id=d" > ${path}`]);
    expect(await qmpctl("-H", kvm2.name, "define", path, "--name", "db1")).toMatchObject({ code: 0 });
    expect((await qmpctl("-H", kvm2.name, "config", "db1")).stdout).toContain("file=/root/disk.img");
    expect(await qmpctl("-H", kvm2.name, "undefine", "db1")).toMatchObject({ code: 0 });
  });

  test("a TAB in a real bash offers what is there", { timeout: 60_000 }, async () => {
    await using folder = await privateFolder();
    await symlink(program, `${folder.path}/qmpctl`);
    await using bash = await bashInTerminal({
      ...{ PATH: `${folder.path}:${process.env["PATH"] ?? ""}`, QMPCTL_SSH: hosts.ssh, QMPCTL_COMPLETION_TIMEOUT: "60s" },
      QMPCTL_CONFIG_DIR: folder.path,
    });
    expect(await lineIn(bash, `qmpctl info ssh://root@${kvm1.name}:22/w`)).toBe(`qmpctl info ssh://root@${kvm1.name}:22/web1 `);
    expect(await lineIn(bash, `qmpctl -H ${kvm1.name} setm`)).toBe(`qmpctl -H ${kvm1.name} setm`);
    expect(await lineIn(bash, `qmpctl -H ${kvm2.name} detach web1 ball`)).toBe(`qmpctl -H ${kvm2.name} detach web1 balloon0 `);
    expect(await lineIn(bash, "qmpctl info ssh://nobody/w")).toBe("qmpctl info ssh://nobody/w");
    await until(async () => (await left(kvm1)).length === 0);
  });

  test("an interrupt undoes there what is half done, as it does here", async () => {
    const change = begin("-H", kvm1.name, "setmem", "web1", "128M", "--both", "--force", "--timeout", "60s");
    await until(() => hasJournal(kvm1));
    change.interrupt();
    const { code, stderr } = await change.ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    expect(await hasJournal(kvm1)).toBe(false);
    expect(await kvm1.exec("cat", `${kvm1.folder}/config/web1.json`)).not.toContain('"128MiB"');
    expect(await left(kvm1)).toEqual([]);
  });

  async function hasJournal(host: Host): Promise<boolean> {
    return (await host.exec("sh", "-c", `ls ${host.folder}/state/@*/journal 2>/dev/null | wc -l`)).trim() !== "0";
  }

  test("an ssh that is killed in the middle: the change goes on there, and its report comes on a new connection", async () => {
    const change = begin("-H", kvm1.name, "setmem", "web1", "192M", "--both", "--force", "--timeout", "4s");
    await until(() => hasJournal(kvm1));
    // The far side of it: that host's sshd for this login.
    await kvm1.exec("pkill", "-KILL", "-f", "^sshd: root@notty");
    const { code, stdout, stderr } = await change.ended;
    expect([code, stderr]).toEqual([5, ""]);
    expect(stdout).toMatch(/memory\s+static\s+256MiB -> 192MiB\s+192MiB.*applied/);
    expect(await kvm1.exec("cat", `${kvm1.folder}/config/web1.json`)).toContain('"192MiB"');
    // Its parent was killed, and the host's init comes to it a moment later.
    await until(async () => (await left(kvm1)).length === 0);
  });

  test("a link that is cut: the key is told, and later the outcome by it", { timeout: 120_000 }, async () => {
    const change = begin("-H", kvm1.name, "setmem", "web1", "160M", "--both", "--force", "--timeout", "4s");
    await until(() => hasJournal(kvm1));
    await kvm1.link("down");
    const { code, stderr } = await change.ended;
    await kvm1.link("up");
    const key = /qmpctl -H \S+ outcome (\S+)/.exec(stderr)?.[1] ?? "";
    expect([code, key, stderr]).toEqual([4, expect.stringMatching(/^[\w-]{36}$/), expect.any(String)]);
    const outcome = await qmpctl("-H", kvm1.name, "outcome", key);
    expect(outcome).toMatchObject({ code: 5, stdout: expect.stringMatching(/memory\s+static\s+192MiB -> 160MiB/) as string });
    expect(await kvm1.exec("cat", `${kvm1.folder}/config/web1.json`)).toContain('"160MiB"');
    await until(async () => (await left(kvm1)).length === 0);
  });

  test("a far end that is killed in the middle: it says that it was interrupted, and recover resolves it", async () => {
    const change = begin("-H", kvm1.name, "setmem", "web1", "200M", "--both", "--force", "--timeout", "60s");
    await until(() => hasJournal(kvm1));
    await kvm1.exec("pkill", "-KILL", "-f", "^node -e eval");
    const { code, stderr } = await change.ended;
    expect(code).toBe(4);
    expect(stderr).toContain(`qmpctl -H ${kvm1.name} recover web1 --finish`);
    expect(await qmpctl("-H", kvm1.name, "recover", "web1", "--undo", "--force", "--timeout", "5s")).toMatchObject({
      code: expect.toBeOneOf([0, 5]) as number,
    });
    expect(await kvm1.exec("cat", `${kvm1.folder}/config/web1.json`)).toContain('"160MiB"');
  });

  test("the library holds one connection for many calls", async () => {
    await using host = await RemoteHost.connect(`ssh://${kvm2.name}`, { ssh: hosts.ssh });
    const domain = await host.open("web1");
    expect((await host.list({ all: true })).map(({ name, state }) => [name, state])).toEqual([["web1", "stopped"]]);
    expect(await domain.setMemory(192 * 2 ** 20, { scope: "static" })).toMatchObject({ outcome: "applied" });
    expect(await domain.info()).toMatchObject({ state: "stopped", config: { memory: 192 * 2 ** 20 } });
    await expect(domain.setMemory(2 ** 40, { scope: "static" })).rejects.toMatchObject({ name: "RefusedError", code: "refused" });
    expect(await domain.start({ paused: true })).toMatchObject({ vcpus: 2 });
    {
      await using session = await domain.connect();
      expect(await session.execute("query-status")).toMatchObject({ running: false });
    }
    expect(await domain.destroy()).toMatchObject({ name: "web1" });
    await expect(host.outcome("no-such-key")).resolves.toEqual({ state: "unknown" });
    expect(LostError).toBeDefined();
  });
});
