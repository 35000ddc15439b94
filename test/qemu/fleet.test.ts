import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, missingForHosts, startHosts } from "../../scripts/lab/hosts.ts";
import { Fleet } from "../../src/index.ts";
import { beginOver, type Begun, type Ended, until } from "./over-ssh.ts";

// Three hosts of their own on this machine, each with an sshd and a QEMU of its own.
const missing = await missingForHosts();
if (missing.length > 0)
  console.log(`no hosts can be started here: ${missing.join(", ")} missing; npm run testbed -- --install --hosts, as root`);

const MACHINE = [
  ...["-machine", "q35,accel=tcg", "-m", "256M", "-smp", "2,maxcpus=4", "-device", "virtio-balloon-pci,id=balloon0"],
  ...["-display", "none", "-nodefaults", "-no-user-config"],
];

describe.skipIf(missing.length > 0)("many hosts, over a real ssh", () => {
  let hosts: Hosts;
  let all: readonly Host[];
  beforeAll(async () => {
    hosts = await startHosts(3);
    all = hosts.all;
    const defined = await qmpctl("-H", "host[1-3]", "define", "--name", "web1", "--", "qemu-system-x86_64", ...MACHINE);
    expect(defined).toEqual({ code: 0, stdout: "host[1-3]/web1: defined\n", stderr: "" });
    expect(await qmpctl("-H", "host[1-3]", "start", "web*")).toEqual({ code: 0, stdout: "host[1-3]/web1: started\n", stderr: "" });
  }, 90_000);
  afterAll(async () => hosts[Symbol.asyncDispose]());

  function begin(...words: readonly string[]): Begun {
    return beginOver(hosts.ssh, words);
  }

  function qmpctl(...words: readonly string[]): Promise<Ended> {
    return begin(...words).ended;
  }

  /** The configs of all hosts, by a look of our own. */
  function configs(): Promise<readonly string[]> {
    return Promise.all(all.map((host) => host.exec("cat", `${host.folder}/config/web1.json`)));
  }

  /** The processes of all hosts that are ours. A far end ends by itself when its connection has, a moment after the call is over. */
  async function left(): Promise<readonly string[]> {
    const lines = await Promise.all(all.map((host) => host.exec("ps", "-eo", "args=")));
    return lines.flatMap((text) => text.split("\n")).filter((line) => /node|qmpctl/.test(line) && !/qemu-system|^sshd:/.test(line));
  }

  async function hasJournal(host: Host | undefined): Promise<boolean> {
    return (await host?.exec("sh", "-c", `ls ${host.folder}/state/@*/journal 2>/dev/null | wc -l`))?.trim() === "1";
  }

  test("all are seen in one table, and equal answers once", async () => {
    const list = await qmpctl("-H", "host[1-3]", "list");
    expect(list.stdout.split("\n").map((line) => line.split(/\s+/).slice(0, 3).join(" "))).toEqual([
      ...["at name state", "host1 web1 running", "host2 web1 running", "host3 web1 running", ""],
    ]);
    expect(await qmpctl("qmp", "ssh://host[1-3]/web1", "query-name")).toEqual({
      code: 0,
      stdout: 'host[1-3]/web1:\n{"name":"web1"}\n',
      stderr: "",
    });
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });

  test("one refuses, and another can't be reached: nothing is touched on any host", async () => {
    const before = await configs();
    await all[2]?.exec("pkill", "-KILL", "-f", "^qemu-system");
    // A host whose sshd is gone: nobody listens.
    const refused = await qmpctl("-H", "host[1-3],host3:1", "setvcpus", "web1", "3", "--both");
    expect([refused.code, refused.stdout]).toEqual([
      3,
      expect.stringMatching(
        /^host\[1,2\]\/web1: planned, not touched\nhost3\/web1: refused: dynamic: the machine is not running.*\nhost3:1\/web1: unreachable: nobody listens there.*\n$/,
      ),
    ]);
    expect(await configs()).toEqual(before);
  });

  test("with --where-possible what can be done is; what is so already is left alone", async () => {
    const done = await qmpctl("-H", "host[1-3]", "setvcpus", "web1", "3", "--both", "--where-possible");
    expect([done.code, done.stdout]).toEqual([1, expect.stringContaining("host[1,2]/web1: applied vcpus 2 -> 3\n")]);
    expect(done.stdout).toContain("  to undo it:  qmpctl -H 'host[1,2]' setvcpus web1 2 --static --dynamic\n");
    const started = await qmpctl("-H", "host[1-3]", "start", "web*");
    expect(started).toEqual({ code: 0, stdout: "host[1,2]/web1: unchanged\nhost3/web1: started\n", stderr: "" });
  });

  test("one fails in the middle: no more are begun, and the library has each target once", async () => {
    const fleet = await Fleet.of(["host1", "host2", "host3"], { ssh: hosts.ssh });
    try {
      const infos = await fleet.info("web?");
      expect(infos.map(({ host, value }) => [host, value?.config?.vcpus, value?.live?.vcpus])).toEqual([
        ["host1", 3, 3],
        ["host2", 3, 3],
        ["host3", 2, 2],
      ]);
      // Its config can be read, and not be replaced: the plan is good, and the commit fails.
      await all[1]?.exec("mount", "--bind", "-o", "ro", `${all[1].folder}/config`, `${all[1].folder}/config`);
      const report = await fleet.setMaxMemory("web1", 300 * 2 ** 20, { scope: "static", atOnce: 1 });
      expect(report.targets.map(({ host, outcome }) => `${host} ${outcome}`)).toEqual([
        "host1 applied",
        "host2 rolled-back",
        "host3 not-begun",
      ]);
      expect([report.outcome, report.targets[0]?.takeBack]).toEqual(["failed", "qmpctl setmaxmem ssh://host1/web1 256MiB --static"]);
      const left = await fleet.setMaxMemory("web1", 256 * 2 ** 20, { scope: "static", wherePossible: true });
      expect(left.targets.map(({ outcome }) => outcome)).toEqual(["applied", "unchanged", "unchanged"]);
    } finally {
      await all[1]?.exec("umount", `${all[1].folder}/config`);
      await fleet[Symbol.asyncDispose]();
    }
  });

  test("an interrupt undoes what is under way, and the rest is not begun", async () => {
    const before = await configs();
    const change = begin("-H", "host[1-3]", "setmem", "web1", "128M", "--both", "--force", "--timeout", "60s", "--at-once", "2");
    await until(async () => (await hasJournal(all[0])) && (await hasJournal(all[1])));
    change.interrupt();
    const { code, stdout, stderr } = await change.ended;
    expect([code, stderr]).toEqual([130, "qmpctl: interrupted by SIGINT\n"]);
    expect(stdout).toMatch(/^host\[1,2\]\/web1: rolled-back.*\nhost3\/web1: not begun\n$/s);
    expect(await configs()).toEqual(before);
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });

  test("a far end that is killed in the middle: its target has the key, the others are finished", async () => {
    const change = begin("-H", "host[1-3]", "setmem", "web1", "200M", "--both", "--force", "--timeout", "4s");
    await until(() => hasJournal(all[2]));
    await all[2]?.exec("pkill", "-KILL", "-f", "^node -e eval");
    const { code, stdout } = await change.ended;
    expect([code, stdout]).toEqual([4, expect.stringMatching(/^host\[1,2\]\/web1: pending.*\nhost3\/web1: lost: /s)]);
    const key = /qmpctl -H host3 outcome ([\w-]{36})/.exec(stdout)?.[1] ?? "";
    expect(await qmpctl("-H", "host[1-3]", "outcome", key)).toMatchObject({ code: 4, stdout: "host3:\ninterrupted\n" });
    // Until it is resolved, nothing is done anywhere.
    const refused = await qmpctl("-H", "host[1-3]", "setmem", "web1", "210M", "--static");
    expect([refused.code, refused.stdout]).toEqual([
      3,
      expect.stringMatching(/host3\/web1: refused: a change was interrupted: .*recover/s),
    ]);
    expect(await qmpctl("-H", "host[1-3]", "recover", "web1", "--undo", "--where-possible", "--force", "--timeout", "1s")).toMatchObject({
      stdout: expect.stringMatching(/host\[1,2\]\/web1: refused: no change of it was interrupted/) as string,
    });
    expect((await configs())[2]).not.toContain('"200MiB"');
  });

  test("events of all come with whose they are", async () => {
    const events = begin("-H", "host[1-3]", "events", "web1", "STOP", "--count", "3", "--timeout", "60s");
    await until(async () => {
      const sockets = await Promise.all(all.map((host) => host.exec("ss", "-xp")));
      return sockets.every((text) => text.split("\n").some((line) => line.includes("watch.sock") && line.includes("ESTAB")));
    });
    expect(await qmpctl("-H", "host[1-3]", "suspend", "web*")).toMatchObject({ code: 0, stdout: "host[1-3]/web1: suspended\n" });
    const { code, stdout } = await events.ended;
    const told = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect([code, told.map(({ host, domain, event }) => `${String(host)}/${String(domain)} ${String(event)}`).toSorted()]).toEqual([
      0,
      ["host1/web1 STOP", "host2/web1 STOP", "host3/web1 STOP"],
    ]);
  });

  // The last one: that host is gone with it.
  test("a host that dies in the middle: what became of its machine is not known, and that is said", async () => {
    // A guest that is paused would not be waited for.
    expect(await qmpctl("-H", "host[1-3]", "resume", "web*")).toMatchObject({ code: 0 });
    const change = begin("-H", "host[1-3]", "setmem", "web1", "190M", "--both", "--force", "--timeout", "4s");
    await until(() => hasJournal(all[2]));
    process.kill(all[2]?.init ?? 0, "SIGKILL");
    const { code, stdout } = await change.ended;
    expect([code, stdout]).toEqual([
      4,
      expect.stringMatching(/host3\/web1: lost: .*not known.*\n {2}to ask for it: {2}qmpctl -H host3 outcome [\w-]{36}\n/s),
    ]);
    expect(stdout).toMatch(/^host\[1,2\]\/web1: pending /);
  });
});
