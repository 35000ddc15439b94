import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, link, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { type Host, isRoot, lives, NOBODY, openHost, type Session } from "./host.ts";

const versions = await qemusInTime();

// The cases of group A of SCOPES.md, each with its siblings: another machine is hit, or a second one started. What is asked of the product
// is asked of the built command line; what is so is
// asked of QEMU on a monitor that only the test has, and of /proc.

/** A command that has to be refused with nothing touched, in one line that says why. */
async function refused(host: Host, words: readonly string[], why: RegExp, session: Session = {}): Promise<string> {
  const { code, stdout, stderr } = await host.cli(words, session);
  expect({ code, isCalm: !/\n\s+at /.test(stderr) }, `${words.join(" ")}: ${stdout}${stderr}`).toEqual({ code: 3, isCalm: true });
  expect(stderr, words.join(" ")).toMatch(why);
  return stderr;
}

describe("A1: a config's monitor path says nothing of whose machine is there", () => {
  test("A1: two configs with one monitor path: whatever is done to the one that is not there leaves the other alone, and names it", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    for (const name of ["a", "b"]) await host.write(name, { monitor });
    await host.ok("start", "a");
    const [pid] = host.pids();
    const before = await host.text("b");
    for (const words of [
      ["destroy", "b"],
      ["vcpupin", "b", "0", "0", "--live"],
      ["persist", "b"],
      ["suspend", "b"],
      ["reset", "b"],
      ["shutdown", "b"],
      ["start", "b"],
      ["revert", "b"],
      ["qmp", "b", "query-name"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect(code, words.join(" ")).not.toBe(0);
      expect(stderr, words.join(" ")).toMatch(/its monitor .*m\.sock is that of "a" \(.*a\.json, process \d+\)/);
    }
    expect(host.pids()).toEqual([pid]);
    expect(await host.peer("a").ask("query-status")).toMatchObject({ running: true });
    expect(host.peer("a").events.filter((event) => event !== "RESUME")).toEqual([]);
    expect(await host.masks("a")).toEqual(["0-1"]);
    expect(await host.text("b")).toBe(before);
    const all = JSON.parse(await host.ok("list", "--all", "--json")) as readonly {
      readonly name: string;
      readonly state: string;
      readonly pid?: number;
      readonly reason?: string;
    }[];
    expect(all).toMatchObject([
      { name: "a", state: "running", pid },
      { name: "b", state: "stopped", reason: expect.stringContaining('that of "a"') as string },
    ]);
    expect(all[1]).not.toHaveProperty("pid");
    await host.ok("destroy", "a");
    await host.ok("start", "b");
    expect(await host.info("a")).toMatchObject({ state: "stopped" });
  });

  test("A1: a QEMU that is none of ours at that path is left alone, and the way to adopt it that is told works", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("a", { monitor });
    const { pid, peer } = await host.hand("other", ["-qmp", `unix:${monitor},server=on,wait=off`]);
    for (const words of [
      ["destroy", "a"],
      ["suspend", "a"],
      ["persist", "a"],
      ["start", "a"],
      ["setmem", "a", "40M", "--live"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect(code, words.join(" ")).not.toBe(0);
      expect(stderr, words.join(" ")).toMatch(new RegExp(`that of "other" \\(process ${pid}\\).*qmpctl define --pid ${pid} --name`));
    }
    expect([await peer.ask("query-status"), peer.events]).toMatchObject([{ running: true }, []]);
    await host.ok("define", "--pid", String(pid), "--name", "other");
    expect(await host.info("other")).toMatchObject({ state: "running", pid });
    await host.ok("suspend", "other");
    expect(await peer.ask("query-status")).toMatchObject({ status: "paused" });
    expect(await host.info("a")).toMatchObject({ state: "stopped" });
  });

  test("A1: sibling: one that has no name, and listens at the config's own monitor, is the config's machine", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("a", { monitor });
    const { pid, peer } = await host.hand("a", ["-qmp", `unix:${monitor},server=on,wait=off`], { called: null });
    expect(await host.info("a")).toMatchObject({ state: "running", pid });
    await host.ok("suspend", "a");
    expect(peer.events).toEqual(["STOP"]);
    await refused(host, ["start", "a"], new RegExp(`it runs already \\(process ${pid}\\)`));
  });

  test("A1: sibling: a second config for the same monitor is refused by define, however it spells the path", async () => {
    await using host = await openHost();
    await symlink(host.folder, host.path("link"));
    await host.define("a", { monitor: host.path("m.sock") });
    await mkdir(host.path("drafts"), { recursive: true });
    for (const monitor of [host.path("m.sock"), `${host.folder}//m.sock`, host.path("link", "m.sock"), `${host.folder}/run/../m.sock`]) {
      // join() would tidy the path up.
      const draft = await host.write("b", { folder: host.path("drafts"), monitor });
      await refused(host, ["define", draft], /b: its monitor .*m\.sock is that of a already/);
    }
    expect(await readdir(host.config)).toEqual(["a.json"]);
    // Its own again is no second one.
    await host.ok("define", await host.write("a", { folder: host.path("drafts"), monitor: host.path("m.sock") }), "--replace");
  });

  test("A1: sibling: a config that was copied, id and all, is told from the machine whose copy it is", async () => {
    await using host = await openHost();
    await host.define("a");
    await host.ok("start", "a");
    const pids = host.pids();
    await writeFile(join(host.config, "b.json"), (await host.text("a")).replace('"name": "a"', '"name": "b"'), { mode: 0o600 });
    for (const verb of ["start", "destroy", "suspend"]) {
      const { code, stderr } = await host.cli([verb, "b"]);
      expect([verb, code === 0]).toEqual([verb, false]);
      expect(stderr).toMatch(/its config has the id of a \(.*a\.json\), which process \d+ runs/);
    }
    expect([host.pids(), host.peer("a").events.includes("STOP")]).toEqual([pids, false]);
    // As the message says: it loses its id.
    await writeFile(join(host.config, "b.json"), (await host.text("b")).replace(/ *"id": .*\n/, "").replaceAll("a.h", "b.h"), {
      mode: 0o600,
    });
    await host.write("x"); // somebody listens for it
    await host.words("b");
    await host.ok("start", "b");
    expect(host.pids()).toHaveLength(2);
  });

  test("A1: sibling: a config that is renamed keeps its machine, by its id", async () => {
    await using host = await openHost();
    await host.define("a");
    await host.ok("start", "a");
    const [pid] = host.pids();
    await rename(join(host.config, "a.json"), join(host.config, "b.json"));
    await writeFile(join(host.config, "b.json"), (await host.text("b")).replace('"name": "a"', '"name": "b"'));
    const { code, stderr } = await host.cli(["start", "b"]);
    expect([code === 0, host.pids()], stderr).toEqual([false, [pid]]);
  });
});

describe("A2: what runs is known without the run-time folder", () => {
  const other = (host: Host): Session => ({ env: { ...host.env, QMPCTL_RUNTIME_DIR: host.path("elsewhere") } });

  test("A2: from a session with another run-time folder it runs, a change without flags is a live one, and there is no second QEMU", async () => {
    await using host = await openHost();
    await host.define("web3");
    await host.ok("start", "web3");
    const [pid] = host.pids();
    const before = await host.text("web3");
    expect(await host.info("web3", other(host))).toMatchObject({ state: "running", pid });
    expect((await host.cli(["vcpupin", "web3", "0", "1"], other(host))).code).toBe(0);
    expect([await host.masks("web3"), await host.text("web3")]).toEqual([["1"], before]);
    await refused(host, ["start", "web3"], new RegExp(`it runs already \\(process ${pid}\\)`), other(host));
    await refused(host, ["undefine", "web3"], /it runs/, other(host));
    expect(host.pids()).toEqual([pid]);
    expect((await host.cli(["destroy", "web3"], other(host))).code).toBe(0);
    expect([lives(pid ?? 0), (await host.info("web3")).state]).toEqual([false, "stopped"]);
  });

  test("A2: with the run-time folder gone it is unreachable, not stopped: no second QEMU, no change of the config, and destroy ends it", async () => {
    await using host = await openHost();
    await host.define("web3");
    await host.ok("start", "web3");
    const [pid] = host.pids();
    const before = await host.text("web3");
    await rm(host.run, { recursive: true });
    for (const session of [{}, other(host)]) {
      expect(await host.info("web3", session)).toMatchObject({
        state: "unreachable",
        pid,
        reason: expect.stringMatching(/its monitor .*control\.sock is gone.*destroy/) as string,
      });
      await refused(host, ["setmem", "web3", "40M"], /its monitor .* is gone/, session);
      await refused(host, ["start", "web3"], new RegExp(`it runs already \\(process ${pid}\\)`), session);
      await refused(host, ["undefine", "web3"], /it runs/, session);
    }
    expect([host.pids(), await host.text("web3")]).toEqual([[pid], before]);
    await host.ok("destroy", "web3");
    expect([host.pids(), (await host.info("web3")).state]).toEqual([[], "stopped"]);
    await host.ok("start", "web3");
  });

  test("A2: sibling: without its state folder, and without both, it is found in /proc", async () => {
    await using host = await openHost();
    await host.define("web3");
    await host.ok("start", "web3");
    const [pid] = host.pids();
    await rm(host.state, { recursive: true });
    expect(await host.info("web3", other(host))).toMatchObject({ state: "running", pid });
    await host.ok("vcpupin", "web3", "0", "1", "--live");
    expect(await host.masks("web3")).toEqual(["1"]);
    await refused(host, ["start", "web3"], /it runs already/);
    await rm(host.state, { recursive: true });
    await rm(host.run, { recursive: true });
    expect(await host.info("web3")).toMatchObject({ state: "unreachable", pid });
    await refused(host, ["start", "web3"], /it runs already/);
    await host.ok("destroy", "web3");
    expect(host.pids()).toEqual([]);
  });

  test("A2: sibling: cron's empty environment, another HOME, an XDG_RUNTIME_DIR or none: the same machine and the same lock", async () => {
    await using host = await openHost();
    await host.define("web3");
    await host.ok("start", "web3");
    const [pid] = host.pids();
    const { QMPCTL_CONFIG_DIR, QMPCTL_STATE_DIR } = host.env;
    const bare = { PATH: "/usr/bin:/bin", QMPCTL_CONFIG_DIR, QMPCTL_STATE_DIR };
    await using lock = await lockOf(host);
    for (const env of [
      bare,
      { ...bare, HOME: "/nonexistent" },
      { ...bare, XDG_RUNTIME_DIR: host.path("xdg"), XDG_STATE_HOME: host.path("xdg"), HOME: host.folder },
    ]) {
      expect(await host.info("web3", { env })).toMatchObject({ state: "running", pid });
      await refused(host, ["start", "web3", "--timeout", "100ms"], /locked by .*flock/, { env });
    }
    await lock.release();
    await refused(host, ["start", "web3"], /it runs already/, { env: bare });
    expect(host.pids()).toEqual([pid]);
  });

  test("A2: sibling: with something else at its monitor it is unreachable, and destroy ends it", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    const [pid] = host.pids();
    const control = join(host.run, "web", "control.sock");
    await rm(control);
    await writeFile(control, "");
    expect(await host.info("web")).toMatchObject({ state: "unreachable", pid, reason: expect.stringContaining("not a socket") as string });
    await refused(host, ["start", "web"], /it runs already/);
    await refused(host, ["vcpupin", "web", "0", "0", "--live"], /not a socket/);
    await host.ok("destroy", "web");
    expect(host.pids()).toEqual([]);
  });

  test.skipIf(!isRoot)(
    "A2: sibling: with its monitor's folder gone with a session, so that nobody may enter it, destroy ends it too",
    async () => {
      await using host = await openHost();
      await host.openToOthers();
      const [his, session] = [host.path("his"), host.path("session")];
      for (const folder of [his, session]) await mkdir(folder, { mode: 0o700 });
      const monitor = join(session, "m.sock");
      await host.write("web", { folder: his, monitor });
      await promisify(execFile)("chown", ["-R", `${NOBODY}:${NOBODY}`, his, session]);
      const { pid } = await host.hand("web", ["-qmp", `unix:${monitor},server=on,wait=off`], { uid: NOBODY });
      await promisify(execFile)("chown", ["0:0", session]);
      const env = { ...host.env, QMPCTL_CONFIG_DIR: his, QMPCTL_RUNTIME_DIR: join(his, "run"), QMPCTL_STATE_DIR: join(his, "state") };
      const user: Session = { uid: NOBODY, env };
      expect(await host.info("web", user)).toMatchObject({
        state: "unreachable",
        pid,
        reason: expect.stringContaining("may not enter") as string,
      });
      await refused(host, ["start", "web"], /it runs already/, user);
      expect(await host.cli(["destroy", "web"], user)).toMatchObject({ code: 0 });
      expect(host.pids()).toEqual([]);
    },
  );

  test("A2: sibling: its pidfile, its sockets or its process record alone are gone, or say another process", async () => {
    await using host = await openHost();
    await host.define("web3");
    await host.ok("start", "web3");
    const [pid] = host.pids();
    const books = await host.books();
    await rm(join(host.run, "web3", "pid"));
    expect(await host.info("web3")).toMatchObject({ state: "running", pid });
    await rm(join(host.run, "web3", "control.sock"));
    expect(await host.info("web3")).toMatchObject({ pid });
    await refused(host, ["start", "web3"], /it runs already/);
    for (const text of [
      "",
      "{",
      '{"process":{"pid":1,"started":0}}',
      JSON.stringify({ ...JSON.parse(await readFile(join(books, "process"), "utf8")), process: { pid: process.pid, started: 1 } }),
    ]) {
      await writeFile(join(books, "process"), text);
      expect(await host.info("web3"), text).toMatchObject({ pid });
      await refused(host, ["start", "web3"], /it runs already/);
    }
    expect(host.pids()).toEqual([pid]);
    await host.ok("destroy", "web3");
    expect(lives(process.pid)).toBe(true);
  });

  test.each(versions)(
    "A2: sibling: one that the version before this one started, on QEMU $version, is found, changed and ended",
    async (qemu) => {
      await using host = await openHost(qemu);
      await host.write("web1");
      const [folder, peer] = await asBefore(host, "web1");
      const [pid] = host.pids();
      for (const session of [{}, other(host)]) {
        expect(await host.info("web1", session)).toMatchObject({ state: "running", pid });
        await refused(host, ["start", "web1"], /it runs already/, session);
      }
      await host.ok("vcpupin", "web1", "0", "1", "--live");
      expect(await host.masks("web1")).toEqual(["1"]);
      await host.ok("suspend", "web1");
      expect(await peer.ask("query-status")).toMatchObject({ status: "paused" });
      expect(host.pids()).toEqual([pid]);
      await host.ok("destroy", "web1");
      expect(host.pids()).toEqual([]);
      await host.ok("start", "web1");
      expect(JSON.parse(await readFile(join(await host.books(), "process"), "utf8"))).toMatchObject({ folder });
    },
  );
});

/** Starts a machine as the version before did it: daemonised, with its pidfile and sockets in the run-time folder, and no mark. */
async function asBefore(host: Host, name: string): Promise<readonly [string, ReturnType<Host["peer"]>]> {
  const folder = join(host.run, name);
  await mkdir(folder, { mode: 0o700 });
  const words = await host.words(name);
  const before = host.peers(name).length;
  const monitors = ["control", "watch"].flatMap((each) => ["-qmp", `unix:${folder}/${each}.sock,server=on,wait=off`]);
  const argv = [
    "-name",
    `guest=${name},debug-threads=on`,
    "-m",
    "size=64M",
    "-smp",
    "cpus=1,maxcpus=2",
    ...monitors,
    "-pidfile",
    join(folder, "pid"),
    "-daemonize",
    "-display",
    "none",
    ...words,
  ];
  await promisify(execFile)(host.qemu.binary, argv);
  await host.dialled(name, before + 1);
  return [folder, host.peer(name)];
}

/** Holds a machine's lock as a shell script does it. Where there is no folder of locks yet, one command makes it. */
async function lockOf(host: Host): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const books = await host.books();
  const child = spawn("flock", [join(books, "lock"), "sh", "-c", "echo held; read end"], { stdio: ["pipe", "pipe", "ignore"] });
  await once(child.stdout, "data");
  const release = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    child.stdin.end();
    await once(child, "exit");
  };
  return { release, [Symbol.asyncDispose]: release };
}

describe("A3: a running QEMU without a usable monitor", () => {
  test("A3: started by hand from the same words it is told as running and unreachable, and gets no twin", async () => {
    await using host = await openHost();
    await host.write("web");
    // The harness's own monitor dials out: nobody can reach it.
    const { pid } = await host.hand("web");
    const before = await host.text("web");
    expect(await host.info("web")).toMatchObject({
      state: "unreachable",
      pid,
      reason: expect.stringContaining("without a QMP monitor") as string,
    });
    await refused(host, ["start", "web"], new RegExp(`it runs already \\(process ${pid}\\)`));
    await refused(host, ["setmem", "web", "40M"], /without a QMP monitor/);
    await refused(host, ["undefine", "web"], /it runs/);
    expect([host.pids(), await host.text("web")]).toEqual([[pid], before]);
    expect(await host.ok("list")).toMatch(/web +unreachable/);
    await host.ok("destroy", "web");
    expect(host.pids()).toEqual([]);
  });

  test("A3: sibling: by hand through a shell, a wrapper and a script that stays: it is QEMU itself that is found and ended", async () => {
    await using host = await openHost();
    await host.write("web");
    await writeFile(host.path("run.sh"), '#!/bin/sh\nqemu-system-x86_64 "$@"\necho it has ended\n', { mode: 0o755 });
    const words = ["-name", "web", "-m", "64", "-smp", "1,maxcpus=2", "-display", "none", ...(await host.words("web"))];
    const ways = [
      ["sh", "-c", `qemu-system-x86_64 ${words.map((word) => `'${word}'`).join(" ")}; true`],
      [host.path("run.sh"), ...words],
      ["timeout", "1h", "qemu-system-x86_64", ...words],
      ["nice", "env", "A=1", "qemu-system-x86_64", ...words],
    ];
    for (const [index, way] of ways.entries()) {
      host.spawn(way);
      await host.dialled("web", index + 1);
      const [pid] = host.pids();
      expect(await host.info("web"), way[0]).toMatchObject({ state: "unreachable", pid });
      await refused(host, ["start", "web"], /it runs already/);
      await host.ok("destroy", "web");
      expect(host.pids(), way[0]).toEqual([]);
    }
  });

  test("A3: sibling: whose config was edited since, and which writes the same disk, is still that machine; another that only reads it is not", async () => {
    await using host = await openHost();
    await promisify(execFile)("qemu-img", ["create", "-q", "-f", "qcow2", host.path("disk.qcow2"), "1M"]);
    const drive = ["-drive", `file=${host.path("disk.qcow2")},if=virtio`];
    await host.write("web", { args: [...drive, "-device", "virtio-rng-pci"] });
    const { pid } = await host.hand("web", drive);
    expect(await host.info("web")).toMatchObject({ state: "unreachable", pid });
    await refused(host, ["start", "web"], /it runs already/);
    await host.ok("destroy", "web");
    const reader = await host.hand("other", ["-drive", `file=${host.path("disk.qcow2")},if=virtio,readonly=on`]);
    expect(await host.info("web")).toMatchObject({ state: "stopped" });
    expect(lives(reader.pid)).toBe(true);
  });

  test("A3: sibling: twice at once by hand: told as running twice, with both processes, and nothing is done to either", async () => {
    await using host = await openHost();
    await host.write("web");
    const [one, two] = [await host.hand("web"), await host.hand("web")];
    expect(await host.info("web")).toMatchObject({
      state: "unreachable",
      reason: expect.stringMatching(new RegExp(`twice, as process ${one.pid} and as process ${two.pid}`)) as string,
    });
    for (const words of [
      ["destroy", "web"],
      ["start", "web"],
      ["suspend", "web"],
    ])
      expect((await host.cli(words)).code, words.join(" ")).not.toBe(0);
    expect(host.pids()).toEqual([one.pid, two.pid]);
  });
});

/** Spellings of a machine's addresses that lead to it, by what is different about them. */
async function spellingsOf(host: Host, name: string, monitor: string): Promise<Readonly<Record<string, string>>> {
  const folder = dirname(monitor);
  await symlink(folder, host.path("by-link"));
  await symlink(host.config, host.path("configs"));
  await symlink(monitor, host.path("socket-link"));
  await link(monitor, host.path("socket-hard"));
  const ports = await portsOf(host, name);
  return {
    "its name": name,
    "its monitor": `unix:${monitor}`,
    "two slashes": `unix:${folder}//${basename(monitor)}`,
    "there and back": `unix:${folder}/../${basename(folder)}/./${basename(monitor)}`,
    "a symlinked folder": `unix:${host.path("by-link")}/${basename(monitor)}`,
    "a symlink": `unix:${host.path("socket-link")}`,
    "a hard link": `unix:${host.path("socket-hard")}`,
    "its control monitor": `unix:${join(host.run, name, "control.sock")}`,
    "its second monitor": `unix:${join(host.run, name, "watch.sock")}`,
    "TCP, by number": `tcp:127.0.0.1:${ports.v4}`,
    "TCP, by name": `tcp:localhost:${ports.v4}`,
    "TCP, version 6": `tcp:[::1]:${ports.v6}`,
    "its config": join(host.config, `${name}.json`),
    "its config by a symlinked folder": host.path("configs", `${name}.json`),
  };
}

/** QMP on TCP ports that the kernel chose, as no number is sure to be free. */
const TCP: readonly string[] = ["127.0.0.1", "::1"].flatMap((address, index) => [
  "-chardev",
  `socket,id=tcp${index},host=${address},port=0,server=on,wait=off`,
  "-mon",
  `chardev=tcp${index},mode=control`,
]);

async function portsOf(host: Host, name: string): Promise<{ readonly v4: number; readonly v6: number }> {
  const devices = (await host.peer(name).ask("query-chardev")) as readonly { readonly label: string; readonly filename: string }[];
  const port = (label: string): number => Number(/:(\d+),server/.exec(devices.find((each) => each.label === label)?.filename ?? "")?.[1]);
  return { v4: port("tcp0"), v6: port("tcp1") };
}

describe("A4: one machine has one lock, one record and one note, however it is addressed", () => {
  test("A4: while a shell script has its lock, a change by any spelling of any of its addresses waits, and says whom for; so does one from another config folder", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.define("web", { monitor, args: TCP });
    await host.ok("start", "web");
    const spellings = await spellingsOf(host, "web", monitor);
    await using lock = await lockOf(host);
    for (const [how, address] of Object.entries(spellings))
      await refused(host, ["vcpupin", address, "0", "0", "--live", "--timeout", "50ms"], /@.*\/lock: locked by process \d+ \(flock .*\)/, {
        env: { ...host.env, HOW: how },
      });
    const env = { ...host.env, QMPCTL_CONFIG_DIR: host.path("configs") };
    await refused(host, ["vcpupin", "web", "0", "0", "--live", "--timeout", "50ms"], /locked by/, { env });
    // The file in the run-time folder is the one that scripts of earlier days lock.
    expect(await readFile(join(host.run, "web", "lock"), "utf8")).toBe(await readFile(join(await host.books(), "lock"), "utf8"));
    expect(await host.masks("web")).toEqual(["0-1"]);
    await lock.release();
    for (const [position, address] of Object.values(spellings).entries()) {
      const mask = String(position % 2);
      await host.ok("vcpupin", address, "0", mask, "--live");
      expect(await host.masks("web"), address).toEqual([mask]);
    }
    expect(host.pids()).toHaveLength(1);
    // All have kept their books in one place.
    expect((await readdir(host.state)).filter((name) => name.startsWith("@"))).toHaveLength(1);
  });

  test("A4: an unresolved record stops a change by any spelling, and recover works by any", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.define("web", { monitor, args: TCP });
    await host.ok("start", "web");
    const spellings = await spellingsOf(host, "web", monitor);
    const killed = await host.cli(["vcpupin", "web", "0", "0", "--live"], {
      fault: { call: "rm", path: "/journal$", when: "before", nth: 1, act: "kill" },
    });
    expect([killed.code, await host.masks("web")]).toEqual([null, ["0"]]);
    for (const address of Object.values(spellings))
      await refused(host, ["setvcpus", address, "2", "--live"], /a change was interrupted.*vcpu-pin 0/);
    expect(await host.peer("web").ask("query-cpus-fast")).toHaveLength(1);
    const recovered = await host.cli(["recover", `unix:${host.path("by-link")}/m.sock`, "--undo"]);
    expect([recovered.code, await host.masks("web")], recovered.stderr).toEqual([0, ["0-1"]]);
    await host.ok("setvcpus", `tcp:localhost:${(await portsOf(host, "web")).v4}`, "2", "--live");
    expect(await host.peer("web").ask("query-cpus-fast")).toHaveLength(2);
  });

  test("A4: growing by name and by address at once: one after the other, and both count the threads", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.define("web", { monitor, vcpus: { max: 4, current: 1 } });
    await host.ok("start", "web");
    const [one, two] = await Promise.all([
      host.cli(["setvcpus", "web", "3", "--live"]),
      host.cli(["setvcpus", `unix:${host.folder}//m.sock`, "3", "--live"]),
    ]);
    expect([one.code, two.code], one.stderr + two.stderr).toEqual([0, 0]);
    expect(await host.peer("web").ask("query-cpus-fast")).toHaveLength(3);
    expect(JSON.parse(await readFile(join(await host.books(), "notes"), "utf8"))).toMatchObject({ asked: { threads: 3 } });
  });

  test("A4: sibling: a config's hard link and a copy of it in another folder are the same machine: no second QEMU", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    await mkdir(host.path("second"), { mode: 0o700 });
    await link(join(host.config, "web.json"), host.path("second", "web.json"));
    const env = { ...host.env, QMPCTL_CONFIG_DIR: host.path("second") };
    for (const session of [{ env }, {}]) {
      const address = "env" in session ? "web" : host.path("second", "web.json");
      await refused(host, ["start", address], /it runs already/, session);
      expect(await host.info(address, session)).toMatchObject({ state: "running", pid: host.pids()[0] });
    }
    // A change of the config would split the link: it is refused, or both have it.
    const { code } = await host.cli(["setmem", "web", "40M", "--static"], { env });
    const [first, second] = await Promise.all([host.text("web"), readFile(host.path("second", "web.json"), "utf8")]);
    expect(code === 0 || first === second).toBe(true);
    expect(host.pids()).toHaveLength(1);
  });

  test("A4: sibling: a config without an id, by a symlinked folder or a hard link, is the same machine too", async () => {
    await using host = await openHost();
    const path = await host.write("web");
    await host.ok("start", "web");
    await symlink(host.config, host.path("configs"));
    await mkdir(host.path("second"), { mode: 0o700 });
    await link(path, host.path("second", "web.json"));
    await using _lock = await lockOf(host);
    for (const env of [host.path("configs"), host.path("second")].map((folder) => ({ ...host.env, QMPCTL_CONFIG_DIR: folder }))) {
      expect(await host.info("web", { env })).toMatchObject({ state: "running", pid: host.pids()[0] });
      await refused(host, ["vcpupin", "web", "0", "0", "--live", "--timeout", "50ms"], /locked by/, { env });
    }
    expect(host.pids()).toHaveLength(1);
  });

  test.skipIf(!isRoot)("A4: sibling: through a bind mount, config folder and sockets alike, it has the one lock", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("web", { monitor });
    await host.ok("start", "web");
    await mkdir(host.path("bound"));
    await using _lock = await lockOf(host);
    const under = [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      `mount --bind ${host.folder} ${host.path("bound")} && exec "$@"`,
      "sh",
    ];
    const env = { ...host.env, QMPCTL_CONFIG_DIR: host.path("bound", "config"), QMPCTL_STATE_DIR: host.path("bound", "state") };
    for (const address of ["web", host.path("bound", "config", "web.json"), `unix:${host.path("bound", "m.sock")}`]) {
      await refused(host, ["vcpupin", address, "0", "0", "--live", "--timeout", "50ms"], /locked by/, { env, under });
      await refused(host, ["start", address, "--timeout", "50ms"], /locked by/, { env, under });
    }
    expect([await host.masks("web"), host.pids().length]).toEqual([["0-1"], 1]);
  });

  test("A4: sibling: by its monitor's address its config is named, and not written; one that is another machine's by now is not named", async () => {
    await using host = await openHost();
    const config = await host.define("web");
    await host.ok("start", "web");
    const before = await host.text("web");
    const address = `unix:${join(host.run, "web", "control.sock")}`;
    for (const words of [
      ["setmem", address, "60M", "--static"],
      ["vcpupin", address, "0", "0", "--both"],
      ["persist", address],
    ])
      expect(await refused(host, words, /its config is /)).toContain(`${config} in the place of the address`);
    await writeFile(config, before.replace(/"id": "\w{8}/, '"id": "00000000'), { mode: 0o600 });
    expect(await refused(host, ["setmem", address, "60M", "--static"], /define. it first/)).not.toContain(config);
    expect(await host.masks("web")).toEqual(["0-1"]);
  });

  test("A4: sibling: a machine that has no mark, by each of its addresses: one lock", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("web", { monitor, args: TCP });
    const { pid } = await host.hand("web", [...TCP, "-qmp", `unix:${monitor},server=on,wait=off`]);
    const ports = await portsOf(host, "web");
    await host.ok("vcpupin", "web", "0", "0", "--live");
    const [key] = (await readdir(host.state)).filter((name) => name.startsWith("@process-"));
    expect(key).toBeDefined();
    const child = spawn("flock", [join(host.state, key ?? "", "lock"), "sh", "-c", "echo held; read end"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    await once(child.stdout, "data");
    try {
      for (const address of [
        "web",
        `unix:${monitor}`,
        `unix:${host.folder}/.//m.sock`,
        `tcp:127.0.0.1:${ports.v4}`,
        `tcp:[::1]:${ports.v6}`,
      ]) {
        await refused(
          host,
          ["vcpupin", address, "0", "1", "--live", "--timeout", "50ms"],
          new RegExp(`@process-${pid}-\\d+/lock: locked by`),
        );
      }
    } finally {
      child.stdin.end();
      await once(child, "exit");
    }
    expect(await host.masks("web")).toEqual(["0"]);
  });
});

/** A program that listens at a path and answers as a QEMU of that name would, for another user. */
const IMPOSTOR = `
const [, path, name] = process.argv;
const answers = { "query-name": { name }, "query-status": { status: "running", running: true, singlestep: false }, "query-version": { qemu: { major: 7, minor: 2, micro: 0 }, package: "" } };
require("node:net").createServer((socket) => {
  socket.on("error", () => {});
  socket.write('{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\\r\\n');
  require("node:readline").createInterface({ input: socket }).on("line", (line) => {
    const { execute, id } = JSON.parse(line);
    require("node:fs").appendFileSync(path + ".heard", execute + "\\n");
    socket.write(JSON.stringify(execute in answers || execute === "qmp_capabilities" ? { return: answers[execute] ?? {}, id } : { error: { class: "CommandNotFound", desc: "no" }, id }) + "\\r\\n");
  });
}).listen(path, () => require("node:fs").writeFileSync(path + ".ready", ""));
`;

/** Resolves when a file is there. */
async function appears(path: string): Promise<void> {
  while ((await lstat(path).catch(() => undefined)) === undefined) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(!isRoot)("A5: another user's socket, process or folder is not believed", () => {
  test("A5: who listens first in a sticky folder is not the machine: nothing is asked of him, nothing written, and he is named", async () => {
    await using host = await openHost();
    await host.openToOthers();
    await mkdir(host.path("tmp"));
    await chmod(host.path("tmp"), 0o1777);
    const monitor = host.path("tmp", "web.sock");
    await host.define("web", { monitor });
    const before = await host.text("web");
    host.spawn([process.execPath, "-e", IMPOSTOR, monitor, "web"], { uid: NOBODY });
    await appears(`${monitor}.ready`);
    expect(await host.info("web")).toMatchObject({
      state: "stopped",
      reason: expect.stringContaining(`belongs to user ${NOBODY}`) as string,
    });
    for (const words of [
      ["persist", "web"],
      ["vcpupin", "web", "0", "0", "--live"],
      ["start", "web"],
      ["destroy", "web"],
      ["suspend", "web"],
      ["qmp", "web", "query-name"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect([words[0], code === 0]).toEqual([words[0], false]);
      expect(stderr, words.join(" ")).toMatch(new RegExp(`web\\.sock belongs to user ${NOBODY}`));
    }
    expect([await host.text("web"), host.pids(), await readFile(`${monitor}.heard`, "utf8").catch(() => "")]).toEqual([before, [], ""]);
  });

  test("A5: sibling: another user's QEMU with our mark and our name is not ours to change or to end, and stands in the way of a start", async () => {
    await using host = await openHost();
    await host.openToOthers();
    await host.define("web");
    const { id } = JSON.parse(await host.text("web")) as { readonly id: string };
    await mkdir(host.path("his"));
    await chmod(host.path("his"), 0o777);
    const mark = [
      "-object",
      `authz-simple,id=qmpctl-${id},identity=${join(host.config, "web.json")}`,
      "-qmp",
      `unix:${host.path("his", "m.sock")},server=on,wait=off`,
    ];
    const { pid, peer } = await host.hand("web", mark, { uid: NOBODY });
    expect(await host.info("web")).toMatchObject({
      state: "unreachable",
      reason: expect.stringContaining(`belongs to user ${NOBODY}`) as string,
    });
    for (const words of [
      ["destroy", "web"],
      ["suspend", "web"],
      ["start", "web"],
      ["vcpupin", "web", "0", "0", "--live"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect(code, words.join(" ")).not.toBe(0);
      expect(stderr, words.join(" ")).toMatch(new RegExp(`user ${NOBODY}|its process`));
    }
    expect([lives(pid), peer.events, host.pids()]).toEqual([true, [], [pid]]);
  });

  test("A5: sibling: his QEMU that only has our words, or our monitor's path on its command line, is another", async () => {
    await using host = await openHost();
    await host.openToOthers();
    await host.define("web", { monitor: host.path("m.sock") });
    const { pid } = await host.hand("web", [], { uid: NOBODY });
    expect(await host.info("web")).toMatchObject({ state: "stopped" });
    await host.ok("start", "web");
    await host.ok("destroy", "web");
    expect(host.pids()).toEqual([pid]);
  });

  test("A5: sibling: a socket of his in the place of one of ours, a lock, a record and notes of his: each is refused or passed over, and named", async () => {
    await using host = await openHost();
    await host.openToOthers();
    await host.define("web");
    await host.ok("start", "web");
    const books = await host.books();
    const [pid] = host.pids();
    const control = join(host.run, "web", "control.sock");
    await promisify(execFile)("chown", [String(NOBODY), control]);
    expect((await host.info("web")).reason ?? "").toMatch(new RegExp(`control\\.sock.*belongs to user ${NOBODY}`));
    const { code, stderr } = await host.cli(["suspend", "web"]);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(`belongs to user ${NOBODY}`)]);
    await promisify(execFile)("chown", ["0", control]);
    await host.ok("vcpupin", "web", "0", "0", "--live");
    await promisify(execFile)("chown", [String(NOBODY), join(books, "process"), join(books, "notes")]);
    expect(await host.info("web")).toMatchObject({ state: "running", pid });
    await promisify(execFile)("chown", [String(NOBODY), join(books, "lock")]);
    await refused(host, ["vcpupin", "web", "0", "1", "--live"], new RegExp(`lock: .*belongs to user ${NOBODY}`));
    await promisify(execFile)("chown", ["-R", String(NOBODY), books]);
    await refused(host, ["vcpupin", "web", "0", "1", "--live"], new RegExp(`belongs to user ${NOBODY}`));
    expect([await host.masks("web"), host.peer("web").events.includes("STOP"), host.pids()]).toEqual([["0"], false, [pid]]);
  });

  test("A5: sibling: a session of his finds our machine and may not touch it", async () => {
    await using host = await openHost();
    await host.openToOthers();
    await host.define("web", { args: TCP });
    await host.ok("start", "web");
    await mkdir(host.path("his"), { mode: 0o700 });
    await promisify(execFile)("chown", [`${NOBODY}:${NOBODY}`, host.path("his")]);
    const his: Session = {
      uid: NOBODY,
      env: { ...host.env, QMPCTL_RUNTIME_DIR: host.path("his", "run"), QMPCTL_STATE_DIR: host.path("his", "state") },
    };
    for (const address of ["web", join(host.config, "web.json"), `unix:${join(host.run, "web", "control.sock")}`]) {
      for (const verb of ["suspend", "destroy", "start"])
        expect((await host.cli([verb, address], his)).code, `${verb} ${address}`).not.toBe(0);
    }
    // His own folder of locks would be no lock with ours.
    const { code } = await host.cli(["suspend", "web"], { uid: NOBODY });
    expect([code === 0, host.peer("web").events.includes("STOP"), host.pids().length]).toEqual([false, false, 1]);
  });
});

/** A program of a user's own that suspends a machine, and prints what came of it. */
const SUSPENDING = `
import { Domain } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const domain = await Domain.open(process.argv[1]);
await domain.suspend().then(() => console.log("done"), (error) => console.log(error.code, error.message));
`;

describe.skipIf(!isRoot)("A4: root at another user's machine", () => {
  test("A4: sibling: by a port, or by a link of root's to its socket, root's command has its owner's lock; a program of root's is refused", async () => {
    await using host = await openHost();
    await host.openToOthers();
    const [his, links] = [host.path("his"), host.path("links")];
    await mkdir(his, { mode: 0o700 });
    await mkdir(links, { mode: 0o755 });
    await promisify(execFile)("chown", [`${NOBODY}:${NOBODY}`, his]);
    await host.hand("web", ["-qmp", `unix:${join(his, "m.sock")},server=on,wait=off`, ...TCP], { uid: NOBODY });
    await symlink(join(his, "m.sock"), join(links, "m.sock"));
    const env = { ...host.env, QMPCTL_STATE_DIR: join(his, "state") };
    const { v4 } = await portsOf(host, "web");
    for (const [position, address] of [`tcp:127.0.0.1:${v4}`, `unix:${join(links, "m.sock")}`].entries()) {
      const { code, stderr } = await host.cli(["vcpupin", address, "0", String(position), "--live"], { env });
      expect({ code, masks: await host.masks("web") }, stderr).toEqual({ code: 0, masks: [String(position)] });
      const [books = "", ...more] = (await readdir(env.QMPCTL_STATE_DIR)).filter((name) => name.startsWith("@"));
      expect([more, (await lstat(join(env.QMPCTL_STATE_DIR, books, "lock"))).uid], address).toEqual([[], NOBODY]);
      const program = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SUSPENDING, address], { env: host.env });
      expect(program.stdout).toBe(`refused ${address}: it belongs to user ${NOBODY}, who has its lock: run this as that user\n`);
    }
    expect([host.peer("web").events.includes("STOP"), await readdir(host.state)]).toEqual([false, []]);
  });
});

describe("A6: a process is ours only when it is that QEMU", () => {
  test("A6: what only has QEMU's words among its arguments is no QEMU, whatever pidfile or record names it, and lives", async () => {
    await using host = await openHost();
    const path = await host.define("web");
    const { id } = JSON.parse(await host.text("web")) as { readonly id: string };
    const folder = join(host.run, "web");
    await mkdir(folder, { mode: 0o700 });
    const words = [
      "qemu-system-x86_64",
      "-name",
      "guest=web,debug-threads=on",
      "-pidfile",
      join(folder, "pid"),
      "-qmp",
      `unix:${folder}/control.sock,server=on,wait=off`,
      "-object",
      `authz-simple,id=qmpctl-${id},identity=${path}`,
      ...(await host.words("web")),
    ];
    await writeFile(host.path("log"), "");
    const wrapper = host.path("wrapper");
    await writeFile(wrapper, '#!/bin/sh\nread end < "$0.fifo"\n', { mode: 0o755 });
    await promisify(execFile)("mkfifo", [`${wrapper}.fifo`]);
    const innocents = [
      host.spawn(["tail", "-f", host.path("log"), "--", ...words]),
      host.spawn(["sh", "-c", `read end < ${wrapper}.fifo; : ${words.join(" ")}`]),
      host.spawn([process.execPath, "-e", "setInterval(() => {}, 1e6)", "--", "x", "y", ...words]),
      host.spawn([wrapper, ...words]),
      host.spawn(["sleep", "infinity"], { env: { PATH: process.env["PATH"], QEMU: words.join(" ") } }),
    ];
    const pids = innocents.map(({ pid = 0 }) => pid);
    for (const pid of pids) {
      await writeFile(join(folder, "pid"), `${pid}\n`, { mode: 0o600 });
      expect(await host.info("web"), String(pid)).toMatchObject({ state: "stopped" });
      expect((await host.cli(["destroy", "web"])).stderr).toMatch(/it does not run/);
    }
    await host.ok("start", "web");
    await host.ok("destroy", "web");
    expect(pids.filter((pid) => !lives(pid))).toEqual([]);
  });

  test("A6: sibling: a pid that is somebody else's by now: record and pidfile of a QEMU that ended name it, and it lives", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    const record = join(await host.books(), "process");
    const text = await readFile(record, "utf8");
    const { process: old } = JSON.parse(text) as { readonly process: { readonly pid: number } };
    process.kill(old.pid, "SIGKILL");
    await host.peer("web").gone;
    const other = host.spawn(["sleep", "infinity"]);
    await writeFile(record, text.replace(`"pid":${old.pid}`, `"pid":${other.pid ?? 0}`));
    await writeFile(join(host.run, "web", "pid"), `${other.pid ?? 0}\n`);
    expect(await host.info("web")).toMatchObject({ state: "stopped" });
    expect((await host.cli(["destroy", "web"])).code).not.toBe(0);
    await host.ok("start", "web");
    expect([lives(other.pid ?? 0), host.pids().length]).toEqual([true, 1]);
  });

  test("A6: sibling: another QEMU of ours whose pid the record has is not the machine", async () => {
    await using host = await openHost();
    for (const name of ["web", "db"]) await host.define(name);
    for (const name of ["web", "db"]) await host.ok("start", name);
    const { pid } = await host.info("db");
    const { id } = JSON.parse(await host.text("web")) as { readonly id: string };
    const record = join(host.state, `@${id}`, "process");
    const { pid: own } = await host.info("web");
    for (const how of ["started", "adopted"]) {
      await writeFile(
        record,
        JSON.stringify({ ...JSON.parse(await readFile(record, "utf8")), how, process: { pid, started: startOf(pid) } }),
      );
      expect(await host.info("web"), how).toMatchObject({ state: "running", pid: own });
    }
    await host.ok("destroy", "web");
    expect([lives(own), lives(pid)]).toEqual([false, true]);
  });

  test("A6: a lock file that is removed under a living writer: the next command says that it lives, and its prepared file stays", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    // Without a guest the balloon never moves: the writer waits until its deadline.
    const writer = host.start(["setmem", "web", "40M", "--live", "--static", "--force", "--timeout", "20s"]);
    const books = await host.books();
    await appears(join(books, "journal"));
    const prepared = async (): Promise<number> => (await readdir(host.config)).length;
    const files = await prepared();
    await rm(join(books, "lock"));
    for (const words of [
      ["setmem", "web", "50M", "--live", "--force", "--timeout", "100ms"],
      ["recover", "web", "--undo"],
      ["recover", "web", "--forget"],
      ["undefine", "web"],
      ["resume", "web"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect([words.join(" "), code, stderr]).toEqual([
        words.join(" "),
        3,
        expect.stringMatching(new RegExp(`process ${writer.child.pid ?? 0}|it runs`)),
      ]);
    }
    expect(await prepared()).toBe(files);
    writer.child.kill("SIGINT");
    expect((await writer.ended).code).toBe(130);
    expect(await readdir(host.config)).toEqual(["web.json"]);
    await host.ok("vcpupin", "web", "0", "0", "--live");
  });
});

/** The clock tick in which a process was started. */
function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

/** A program that carries bytes to whoever listens at a path at that moment, as ssh and socat do: an address of a QEMU elsewhere. */
async function elsewhere(host: Host, path: string): Promise<string> {
  const program = host.path("carry.cjs");
  await writeFile(
    program,
    'const s = require("node:net").connect(process.argv[2]); process.stdin.pipe(s).pipe(process.stdout); s.on("error", () => process.exit(1)).on("close", () => process.exit(0));\n',
  );
  return `exec:${process.execPath} ${program} ${path}`;
}

/** Ends a QEMU and puts another in its place, behind the same socket. */
async function replaced(
  host: Host,
  name: string,
  monitor: string,
  more: readonly string[] = [],
): Promise<{ readonly pid: number; readonly heard: () => Promise<string> }> {
  const [old] = host.pids();
  if (old !== undefined) {
    process.kill(old, "SIGKILL");
    await host.peer(name).gone;
  }
  await rm(monitor, { force: true });
  const log = host.path(`heard-${host.peers(name).length}`);
  const { pid } = await host.hand(name, ["-qmp", `unix:${monitor},server=on,wait=off`, "-D", log, "-trace", "handle_qmp_command", ...more]);
  return { pid, heard: () => readFile(log, "utf8") };
}

/** Resolves when a QEMU has heard a command. */
async function hears({ heard }: { heard(): Promise<string> }, command: string): Promise<void> {
  while (!(await heard()).includes(`"${command}"`)) await new Promise((resolve) => setImmediate(resolve));
}

const UUID = ["-uuid", "11111111-2222-3333-4444-555555555555"];

describe("A7: another QEMU behind the same address is noticed on the next connection", () => {
  test.each([
    ["A7: a remote QEMU that is killed and started again in the middle of a change", [], []],
    ["A7: sibling: one that has the same name and the same UUID", UUID, UUID],
    ["A7: sibling: one of the same name with another UUID", UUID, ["-uuid", "99999999-2222-3333-4444-555555555555"]],
  ])("%s is not asked for what its predecessor was: told as gone, not as pending", async (_what, before, after) => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    const first = await replaced(host, "web", monitor, before);
    const change = host.start(["setmem", await elsewhere(host, monitor), "40M", "--live", "--force", "--timeout", "30s"]);
    await hears(first, "balloon");
    const second = await replaced(host, "web", monitor, after);
    const { code, stdout, stderr } = await change.ended;
    expect([code === 0, code === 5], stdout).toEqual([false, false]);
    expect(stderr).toMatch(/another QEMU answers.*than before|is gone/);
    expect(await second.heard()).not.toMatch(/"(balloon|device_add|qom-set|stop|cont)"/);
    expect(host.pids()).toEqual([second.pid]);
  });

  test.each(["its socket", "its name", "TCP"])("A7: sibling: a local one, addressed by %s", async (how) => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("web", { monitor });
    const first = await replaced(host, "web", monitor, TCP);
    const address = how === "its name" ? "web" : how === "TCP" ? `tcp:127.0.0.1:${(await portsOf(host, "web")).v4}` : `unix:${monitor}`;
    const change = host.start(["setmem", address, "40M", "--live", "--force", "--timeout", "30s"]);
    await hears(first, "balloon");
    const second = await replaced(host, "web", monitor, TCP);
    const { code, stderr } = await change.ended;
    expect([code === 0, code === 5], stderr).toEqual([false, false]);
    expect(stderr).toMatch(/gone/);
    expect(await second.heard()).not.toMatch(/"(balloon|qom-set|stop|cont)"/);
  });

  test("A7: sibling: replaced between two commands it is a new one: the second is for it, and takes nothing of the first along", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await replaced(host, "web", monitor);
    const address = await elsewhere(host, monitor);
    expect((await host.cli(["setvcpus", address, "2", "--live"])).code).toBe(0);
    const second = await replaced(host, "web", monitor);
    expect(await host.info(address)).toMatchObject({ live: { vcpus: 1 } });
    expect((await host.cli(["setvcpus", address, "2", "--live"])).code).toBe(0);
    expect(await host.peer("web").ask("query-cpus-fast")).toHaveLength(2);
    expect(host.pids()).toEqual([second.pid]);
  });

  test("A7: sibling: a paused one that is replaced by a running one while a second change waits for the lock", async () => {
    await using host = await openHost();
    const monitor = host.path("m.sock");
    await host.write("web", { monitor });
    await host.ok("start", "web");
    const lock = await lockOf(host);
    const change = host.start(["vcpupin", "web", "0", "0", "--live", "--timeout", "20s"]);
    // It stands in line when flock has the file open.
    while (!commandsWith(join(await host.books(), "lock")).some((text) => text.startsWith("flock\0-x")))
      await new Promise((resolve) => setImmediate(resolve));
    const [old] = host.pids();
    process.kill(old ?? 0, "SIGKILL");
    await host.peer("web").gone;
    const { pid } = await host.hand("web", ["-qmp", `unix:${monitor},server=on,wait=off`]);
    await lock.release();
    const { code, stderr } = await change.ended;
    // Whom it found when its turn came: the new one is this machine too, and was asked who it is.
    expect([code, await host.masks("web"), host.pids()], stderr).toEqual([0, ["0"], [pid]]);
  });
});

/** The command lines of processes that have a file open. */
function commandsWith(path: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path)
          ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")]
          : [];
      } catch {
        return [];
      }
    });
}

describe("A8: a record counts for the config and the machine that it was made for", () => {
  /** Leaves a change half done: its writer dies when both halves are done and the record is not gone yet. */
  const interrupted = async (host: Host, ...words: readonly string[]): Promise<void> => {
    const { code } = await host.cli(words, { fault: { call: "rm", path: "/journal$", when: "before", nth: 1, act: "kill" } });
    expect(code).toBe(null);
  };

  test("A8: while one is unresolved, start, undefine and define --replace are refused, and nothing is written", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    await interrupted(host, "vcpupin", "web", "0", "0", "--live", "--static");
    await host.ok("destroy", "web");
    const before = await host.text("web");
    const draft = await host.write("web", { folder: host.path("drafts"), memory: { max: "128MiB", current: "128MiB" } });
    for (const words of [
      ["start", "web"],
      ["undefine", "web"],
      ["define", draft, "--replace"],
      ["restart", "web"],
    ])
      await refused(host, words, /a change was interrupted.*qmpctl recover web/);
    expect([await host.text("web"), host.pids()]).toEqual([before, []]);
    await host.ok("recover", "web", "--undo");
    expect(JSON.parse(await host.text("web"))).not.toHaveProperty("vcpus.pin.0");
    await host.ok("undefine", "web");
    expect([await readdir(host.config), (await readdir(host.state)).filter((name) => name.startsWith("@"))]).toEqual([[], []]);
  });

  test("A8: a config that somebody removed and defined anew has nothing to do with the record of the one before", async () => {
    await using host = await openHost();
    const path = await host.define("web");
    await host.ok("start", "web");
    await interrupted(host, "vcpupin", "web", "0", "0", "--live", "--static");
    await host.ok("destroy", "web");
    await rm(path);
    await host.define("web", { memory: { max: "128MiB", current: "96MiB" } });
    const before = await host.text("web");
    for (const how of ["--undo", "--finish", "--forget"]) await refused(host, ["recover", "web", how], /nothing to recover/);
    expect(await host.info("web")).not.toHaveProperty("interrupted");
    await host.ok("start", "web");
    expect([await host.text("web"), await host.masks("web")]).toEqual([before, ["0-1"]]);
  });

  test("A8: sibling: another machine's config moved to its name, and a copy of it under another, have no part in its record", async () => {
    await using host = await openHost();
    for (const name of ["web", "db"]) await host.define(name);
    await host.ok("start", "web");
    await interrupted(host, "vcpupin", "web", "0", "0", "--live", "--static");
    await host.ok("destroy", "web");
    const text = await host.text("web");
    await writeFile(join(host.config, "copy.json"), text.replace('"name": "web"', '"name": "copy"'), { mode: 0o600 });
    await refused(host, ["recover", "copy", "--undo"], /nothing to recover/);
    await rename(join(host.config, "db.json"), join(host.config, "web.json"));
    await writeFile(join(host.config, "web.json"), (await host.text("web")).replace('"name": "db"', '"name": "web"'));
    const before = await host.text("web");
    await refused(host, ["recover", "web", "--undo"], /nothing to recover/);
    expect([await host.text("web"), await host.text("copy")]).toEqual([before, text.replace('"name": "web"', '"name": "copy"')]);
  });

  test("A8: sibling: its QEMU is replaced: the live half counts as gone, and only what the change did to the config is taken back", async () => {
    await using host = await openHost();
    await host.define("web", { vcpus: { max: 2, current: 1 } });
    await host.ok("start", "web");
    const before = await host.text("web");
    await interrupted(host, "setvcpus", "web", "2", "--live", "--static");
    await host.ok("destroy", "web");
    const { pid, peer } = await host.hand("web", ["-qmp", `unix:${host.path("own.sock")},server=on,wait=off`]);
    // It carries no mark, and so has a lock of its own; the record is its config's, and counts all the same.
    expect(await host.cli(["setmem", "web", "32M", "--static"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("qmpctl recover web"),
    });
    await host.ok("recover", "web", "--undo");
    expect([await peer.ask("query-cpus-fast"), peer.events, host.pids()]).toMatchObject([[{}], [], [pid]]);
    await host.ok("destroy", "web");
    expect(await host.text("web")).toBe(before);
  });

  test("A8: sibling: recover --undo after somebody has edited the config puts back what the change changed, and nothing else", async () => {
    await using host = await openHost();
    const path = await host.define("web");
    await host.ok("start", "web");
    await interrupted(host, "vcpupin", "web", "0", "0", "--live", "--static");
    const edited = JSON.parse(await host.text("web"));
    await writeFile(path, JSON.stringify({ ...edited, memory: { max: "128MiB", current: "128MiB" } }, null, 2));
    await host.ok("recover", "web", "--undo");
    const after = JSON.parse(await host.text("web"));
    expect([after.memory, after.vcpus.pin?.["0"], await host.masks("web")]).toEqual([
      { max: "128MiB", current: "128MiB" },
      undefined,
      ["0-1"],
    ]);
  });
});
