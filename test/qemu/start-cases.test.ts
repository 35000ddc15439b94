import { execFile } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { type Host, isRoot, lives, NOBODY, openHost } from "./host.ts";

// The cases of group B of SCOPES.md, each with its siblings: a start is a transaction. What is asked of the product is asked of the built
// command line, and what is left of a start that did not
// work is looked for in /proc and in its folders.

const versions = await qemusInTime();

/** A command that fails in one calm line, and leaves no process, no record and no folder of sockets behind. */
async function fails(host: Host, words: readonly string[], code: number, why: RegExp): Promise<string> {
  const ended = await host.cli(words);
  expect([ended.code, ended.stderr], words.join(" ")).toEqual([code, expect.stringMatching(why)]);
  expect(
    ended.stderr
      .trimEnd()
      .split("\n")
      .filter((line) => /^\s+at |Error:/.test(line)),
  ).toEqual([]);
  expect(ended.stderr.length).toBeLessThan(2000);
  await nothingLeft(host);
  return ended.stderr;
}

async function nothingLeft(host: Host): Promise<void> {
  expect(host.pids()).toEqual([]);
  const files = [...(await readdir(host.run, { recursive: true })), ...(await readdir(host.state, { recursive: true }))];
  expect(files.filter((path) => /\.sock$|\/pid$|\/journal$/.test(path))).toEqual([]);
}

describe("B1: an emulator that can't be run", () => {
  test("B1: is told in one line, whatever is wrong with it, and the next start works", async () => {
    await using host = await openHost();
    const [dead, folder, plain, noShell] = [host.path("dead"), host.path("folder"), host.path("plain"), host.path("no-shell")];
    await symlink(host.path("nothing"), dead);
    await mkdir(folder);
    await writeFile(plain, "#!/bin/sh\n", { mode: 0o644 });
    await writeFile(noShell, "#!/no/such/shell\n", { mode: 0o755 });
    const nothing = host.path("words");
    await writeFile(nothing, "these are no program", { mode: 0o755 });
    for (const [emulator, why] of [
      ["qemu-system-nothere", /there is no such program/],
      [host.path("nothing"), /there is no such program/],
      [dead, /no such program/],
      [plain, /may not be run/],
      [folder, /folder|may not be run/],
      [noShell, /no such program/],
      [nothing, /not found|no program/],
    ] as const) {
      await host.write("x", { emulator });
      await fails(host, ["start", "x"], 1, new RegExp(`^qmpctl: x: ${emulator}[: ][^\\n]*\\n$`));
      await fails(host, ["restart", "x"], 1, why);
      const { stdout } = await host.cli(["start", "x", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: "host" } });
    }
    await host.write("x");
    await host.ok("start", "x");
  });

  test("B1: as SCOPES.md has it: defined from a command line", async () => {
    await using host = await openHost();
    await host.ok("define", "--name", "x", "--", "qemu-system-nothere", "-m", "128");
    await fails(host, ["start", "x"], 1, /^qmpctl: x: qemu-system-nothere: there is no such program\n$/);
  });

  test("B1: sibling: in a program of a user's own it is an error to be caught, for start, restart and define alike, and the process lives", async () => {
    await using host = await openHost();
    await host.write("x", { emulator: "qemu-system-nothere" });
    const program = `
      import { Domain } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
      const said = [];
      for (const work of [async () => (await Domain.open("x")).start(), async () => (await Domain.open("x")).restart(), async () => Domain.define({ pid: 4194305 }), async () => (await Domain.open("x")).destroy(), async () => (await Domain.open("x")).resume()]) {
        try { await work(); said.push("worked"); } catch (error) { said.push(error.code); }
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log(JSON.stringify(said));`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      env: host.env as Record<string, string>,
    });
    expect([JSON.parse(stdout), stderr]).toEqual([["host", "host", "host", "refused", "refused"], ""]);
  });
});

/** A machine that is not set up before somebody comes to its serial port. */
async function waits(host: Host, name: string): Promise<string> {
  const path = host.path(`${name}.serial`);
  await host.write(name, { args: ["-serial", `unix:${path},server=on,wait=on`] });
  return path;
}

describe("B2: a start has one deadline", () => {
  test.each(versions)(
    "B2: QEMU $version that waits for somebody is ended at --timeout, its own words are shown, and nothing is left",
    async (qemu) => {
      await using host = await openHost(qemu);
      await waits(host, "x");
      const began = performance.now();
      await fails(
        host,
        ["start", "x", "--timeout", "1200ms"],
        1,
        /not set the machine up within [\d.]+ s, and was ended; it says: .*waiting for connection on: .*x\.serial/,
      );
      expect(performance.now() - began).toBeLessThan(8000);
      expect(await host.info("x")).toMatchObject({ state: "stopped" });
      await host.write("x");
      await host.ok("start", "x");
    },
  );

  test.each(["SIGINT", "SIGTERM"] as const)("B2: %s ends what was begun: 130, and nothing is left", async (signal) => {
    await using host = await openHost();
    const serial = await waits(host, "x");
    const start = host.start(["start", "x"]);
    await appears(serial);
    expect(host.pids()).toHaveLength(1);
    start.child.kill(signal);
    expect(await start.ended).toMatchObject({ code: 130, stderr: expect.stringContaining(`interrupted by ${signal}`) as string });
    await nothingLeft(host);
    expect(await host.info("x")).not.toHaveProperty("interrupted");
  });

  test("B2: sibling: one that comes up after a while, within the deadline, has started", async () => {
    await using host = await openHost();
    const serial = await waits(host, "x");
    const start = host.start(["start", "x", "--timeout", "50s"]);
    await appears(serial);
    await promisify(execFile)(process.execPath, [
      "-e",
      'require("node:net").connect(process.argv[1], function () { this.end(); })',
      serial,
    ]);
    expect((await start.ended).code).toBe(0);
    expect(await host.info("x")).toMatchObject({ state: "running" });
  });

  test("B2: sibling: an emulator that never becomes QEMU, one that ignores SIGTERM, and one that leaves QEMU in a session of its own, are ended with all that they started", async () => {
    await using host = await openHost();
    const scripts = {
      "never-qemu": `#!/bin/sh\necho I am slow >&2\nread end < ${host.path("fifo")}\n`,
      "stubborn-qemu": `#!/bin/sh\ntrap "" TERM INT HUP\necho I stay >&2\nread end < ${host.path("fifo")}; read end < ${host.path("fifo")}\n`,
      "leaving-qemu": `#!/bin/sh\nsetsid qemu-system-x86_64 "$@" &\nread end < ${host.path("fifo")}\n`,
    };
    await promisify(execFile)("mkfifo", [host.path("fifo")]);
    for (const [name, text] of Object.entries(scripts)) {
      await writeFile(host.path(name), text, { mode: 0o755 });
      const args = name === "leaving-qemu" ? ["-serial", `unix:${host.path("leaving.serial")},server=on,wait=on`] : [];
      await host.write("x", { emulator: host.path(name), args });
      const { code, stderr } = await host.cli(["start", "x", "--timeout", "1500ms"]);
      expect([name, code, stderr]).toEqual([name, 1, expect.stringMatching(/within 1\.5 s|could not start/)]);
      if (name !== "leaving-qemu") expect(stderr).toMatch(/I am slow|I stay/);
      const left = await processes(host.path(name));
      expect([name, left]).toEqual([name, []]);
      await nothingLeft(host);
    }
  });

  test("B2: sibling: the time spent waiting for the lock counts", async () => {
    await using host = await openHost();
    await host.define("x");
    const serial = await waits(host, "y");
    const first = host.start(["start", "y", "--timeout", "60s"]);
    await appears(serial);
    const { code, stderr } = await host.cli(["start", "y", "--timeout", "300ms"]);
    expect([code, stderr]).toEqual([3, expect.stringMatching(new RegExp(`locked by process ${first.child.pid ?? 0} .*start y`))]);
    // Another machine does not wait for it.
    await host.ok("start", "x");
    first.child.kill("SIGINT");
    expect((await first.ended).code).toBe(130);
    expect(host.qemus()).toHaveLength(1);
  });
});

async function appears(path: string): Promise<void> {
  while ((await lstat(path).catch(() => undefined)) === undefined) await new Promise((resolve) => setImmediate(resolve));
}

/** The processes with a word on their command lines. */
async function processes(word: string): Promise<readonly string[]> {
  const texts = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")] as const),
  );
  return texts.filter(([pid, text]) => text.split("\0").includes(word) && lives(Number(pid))).map(([, text]) => text);
}

describe.each(versions)("B3: QEMU $version in its sandbox", (qemu) => {
  test("B3: spawn=deny and elevateprivileges=deny, as libvirt writes them, start, are changed, pinned and ended", async () => {
    await using host = await openHost(qemu);
    const sandboxes = ["on,spawn=deny", "on,elevateprivileges=deny", "on,obsolete=deny,elevateprivileges=deny,spawn=deny"];
    for (const sandbox of sandboxes) {
      await host.write("x", { args: ["-sandbox", sandbox], vcpus: { max: 2, current: 1, pin: { 0: "1" } } });
      await host.ok("start", "x");
      expect(await host.masks("x"), sandbox).toEqual(["1"]);
      await host.ok("suspend", "x");
      expect(await host.peer("x").ask("query-status")).toMatchObject({ status: "paused" });
      await host.ok("vcpupin", "x", "0", "0", "--live");
      expect(await host.masks("x")).toEqual(["0"]);
      await host.ok("destroy", "x");
      await nothingLeft(host);
    }
  });
});

describe("B3: siblings", () => {
  test("B3: sibling: resourcecontrol=deny, which forbids QEMU's own affinity, leaves ours", async () => {
    await using host = await openHost();
    await host.write("x", {
      args: ["-sandbox", "on,resourcecontrol=deny,spawn=deny,elevateprivileges=deny"],
      vcpus: { max: 4, current: 1, pin: { 0: "0" } },
    });
    await host.ok("start", "x");
    await host.ok("setvcpus", "x", "2", "--live");
    await host.ok("vcpupin", "x", "1", "1", "--live");
    expect(await host.masks("x")).toEqual(["0", "1"]);
  });

  test("B3: sibling: what needs a terminal or daemonises is refused before anything is started, naming what to write instead", async () => {
    await using host = await openHost();
    for (const [args, why] of [
      [["-daemonize"], /daemonize.*start puts the machine in the background/],
      [["-curses"], /-display none/],
      [["-pidfile", "/x"], /pidfile/],
    ] as const) {
      await host.write("x", { args });
      const { code, stderr } = await host.cli(["start", "x"]);
      expect([code, stderr]).toEqual([3, expect.stringMatching(why)]);
      await nothingLeft(host);
    }
  });

  test.skipIf(!isRoot)(
    "B3: sibling: one that gives up root's rights (-runas) is ours all the same: found, changed and ended, with its record and without",
    async () => {
      await using host = await openHost();
      await host.openToOthers();
      await host.define("x", { args: ["-runas", "nobody"] });
      await host.ok("start", "x");
      const [pid] = host.pids();
      expect(await readFile(`/proc/${pid ?? 0}/status`, "utf8")).toMatch(new RegExp(`^Uid:\\s+${NOBODY}\\s+${NOBODY}`, "m"));
      await host.ok("vcpupin", "x", "0", "1", "--live");
      expect([await host.masks("x"), await host.info("x")]).toMatchObject([["1"], { state: "running", pid }]);
      await rm(host.state, { recursive: true });
      const { code, stderr } = await host.cli(["start", "x"]);
      expect([code === 0, host.pids()], stderr).toEqual([false, [pid]]);
    },
  );

  test("B3: sibling: a file of its own that is relative is meant from the config's folder, and its exit status is ours to tell", async () => {
    await using host = await openHost();
    await writeFile(join(host.config, "seabios.bin"), powerOff());
    await host.write("x", { args: ["-bios", "./seabios.bin"] });
    await fails(host, ["start", "x"], 1, /the guest powered off/);
    await host.write("x", { args: ["-object", "memory-backend-ram,id=m,size=99T,prealloc=on"] });
    await fails(host, ["start", "x"], 1, /could not start the machine: .*memory/);
  });
});

/** Firmware for q35 that powers off at once: it sets up the ACPI power registers (0x600) and writes "off" (S5). */
function powerOff(last: readonly number[] = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]): Buffer {
  const w16 = (n: number): number[] => [n & 255, n >> 8];
  const w32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24];
  const out32 = (port: number, value: number): number[] => [0xba, ...w16(port), 0x66, 0xb8, ...w32(value), 0x66, 0xef];
  const image = Buffer.alloc(65536, 0xf4);
  Buffer.from([
    0xfa,
    ...out32(0xcf8, 0x8000f840),
    ...out32(0xcfc, 0x601),
    ...out32(0xcf8, 0x8000f844),
    ...out32(0xcfc, 0x80),
    ...last,
    0xf4,
    0xeb,
    0xfd,
  ]).copy(image);
  Buffer.from([0xea, 0, 0, 0, 0xf0]).copy(image, 0xfff0);
  return image;
}

/** Firmware that resets the machine at once, by port 0xcf9. */
function reset(): Buffer {
  return powerOff([0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee]);
}

describe.each(versions)("B4: a guest of QEMU $version that ends at once", (qemu) => {
  test("B4: is told as ended right after its start, with the reason, each time; and info tells when and why", async () => {
    await using host = await openHost(qemu);
    await writeFile(host.path("off.bin"), powerOff());
    await host.write("x", { args: ["-bios", host.path("off.bin")] });
    for (let round = 0; round < 4; round++)
      await fails(
        host,
        ["start", "x"],
        1,
        /^qmpctl: x: it ended right after its start: the guest powered off \(SHUTDOWN, guest-shutdown\)\n$/,
      );
    const { state, ended } = await host.info("x");
    expect([state, ended.why]).toEqual(["stopped", expect.stringContaining("the guest powered off")]);
    expect(Math.abs(Date.parse(ended.at) - Date.now())).toBeLessThan(60_000);
    expect(await host.ok("info", "x")).toMatch(/ended .*the guest powered off/);
  });

  test("B4: sibling: with -no-reboot, one that resets itself; with -no-shutdown, one that stays though it is off", async () => {
    await using host = await openHost(qemu);
    await writeFile(host.path("reset.bin"), reset());
    await writeFile(host.path("off.bin"), powerOff());
    await host.write("x", { args: ["-bios", host.path("reset.bin"), "-no-reboot"] });
    await fails(host, ["start", "x"], 1, /it ended right after its start: .*\(SHUTDOWN, guest-reset\)/);
    await host.write("x", { args: ["-bios", host.path("off.bin"), "-no-shutdown"] });
    const { code, stderr } = await host.cli(["start", "x"]);
    expect([code, host.pids()], stderr).toEqual([1, []]);
    expect(stderr).toMatch(/ended right after its start|stopped again/);
    // Firmware that tells the panic device of a panic.
    const image = powerOff();
    image.fill(0, 0, 64);
    Buffer.from([0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd]).copy(image, 0);
    await writeFile(host.path("panic.bin"), image);
    await host.write("x", { args: ["-bios", host.path("panic.bin"), "-device", "pvpanic", "-no-shutdown"] });
    await fails(host, ["start", "x"], 1, /it was let go, and stopped again at once: the guest has panicked\n$/);
    expect(host.pids()).toEqual([]);
  });
});

describe("B4: siblings", () => {
  test("B4: sibling: left paused it has started; resumed, it ends, and info tells why", async () => {
    await using host = await openHost();
    await writeFile(host.path("off.bin"), powerOff());
    await host.write("x", { args: ["-bios", host.path("off.bin")] });
    await host.ok("start", "x", "--paused");
    const [pid] = host.pids();
    expect(await host.info("x")).toMatchObject({ state: "paused", pid });
    const { peer } = { peer: host.peer("x") };
    const { code } = await host.cli(["resume", "x"]);
    await peer.gone;
    expect([code === null, lives(pid ?? 0)]).toEqual([false, false]);
    expect(await host.info("x")).toMatchObject({
      state: "stopped",
      ended: { why: expect.stringContaining("the guest powered off") as string },
    });
  });

  test("B4: sibling: restart of a machine whose new firmware ends at once says so, and does not say that it was started", async () => {
    await using host = await openHost();
    await host.write("x", { args: ["-no-shutdown"] });
    await host.ok("start", "x");
    await host.peer("x").ask("system_reset");
    await host.ok("destroy", "x");
    await writeFile(host.path("off.bin"), powerOff());
    await host.write("x", { args: ["-bios", host.path("off.bin")] });
    await fails(host, ["restart", "x"], 1, /ended right after its start: the guest powered off/);
  });

  test("B4: sibling: why it ended is told of one that was killed, told to quit, ended by a signal, destroyed", async () => {
    await using host = await openHost();
    await host.define("x");
    const ways: readonly (readonly [string, (pid: number) => unknown, RegExp])[] = [
      ["SIGKILL", (pid) => process.kill(pid, "SIGKILL"), /killed, or crashed/],
      ["SIGTERM", (pid) => process.kill(pid, "SIGTERM"), /ended by a signal|terminating on signal 15/],
      [
        "quit",
        () =>
          host
            .peer("x")
            .ask("quit")
            .catch(() => undefined),
        /told to quit/,
      ],
      ["destroy", () => host.ok("destroy", "x"), /destroyed/],
    ];
    for (const [index, [how, end, why]] of ways.entries()) {
      await host.ok("start", "x");
      await host.dialled("x", index + 1);
      const [pid = 0] = host.pids();
      await Promise.all([end(pid), host.peer("x").gone]);
      while (lives(pid)) await new Promise((resolve) => setImmediate(resolve));
      expect(await host.info("x"), how).toMatchObject({ state: "stopped", ended: { why: expect.stringMatching(why) as string } });
    }
  });
});

describe.each(versions)("B5: what QEMU $version says", (qemu) => {
  test("B5: is told though it has a log of its own (-D, -d, -trace), when it can't start and when it can", async () => {
    await using host = await openHost(qemu);
    const logs = [
      ["-D", host.path("own.log")],
      ["-D", host.path("own.log"), "-d", "unimp,guest_errors"],
      ["-D", host.path("own.log"), "-trace", "handle_qmp_command"],
      ["-msg", "timestamp=on"],
    ];
    for (const log of logs) {
      await host.write("x", { args: [...log, "-device", "no-such-device"] });
      await fails(host, ["start", "x"], 1, /could not start the machine: .*'no-such-device' is not a valid device model name/);
    }
    for (const log of logs) {
      await host.write("x", { args: [...log, "-serial", "pty", "-cpu", "qemu64,+vmx"] });
      const text = await host.ok("start", "x");
      expect(text, log.join(" ")).toMatch(/QEMU says: .*\/dev\/pts\/\d+/);
      expect(text, log.join(" ")).toMatch(/QEMU says: .*warning: TCG doesn't support requested feature/);
      expect(JSON.stringify(await host.info("x"))).not.toContain("warning: TCG");
      await host.ok("destroy", "x");
      expect(JSON.stringify((await host.info("x")).ended)).not.toContain("warning: TCG");
    }
  });
});

describe("B6: what can be checked is checked before anything is stopped", () => {
  test("B6: restart of a config with a file that is not there leaves the machine running, and names the file", async () => {
    await using host = await openHost();
    const missing = host.path("nothing");
    const absent = Math.max(...((await readFile("/sys/devices/system/cpu/present", "utf8")).match(/\d+/g)?.map(Number) ?? [0])) + 60;
    const ways: readonly (readonly [Parameters<Host["write"]>[1], RegExp])[] = [
      [{ args: ["-kernel", missing] }, /nothing: there is no such file/],
      [{ args: ["-drive", `file=${missing},if=virtio`] }, /nothing: there is no such file/],
      [
        { args: ["-drive", `if=virtio,file=${missing}`, "-bios", missing] },
        /nothing: there is no such file.*nothing: there is no such file/,
      ],
      [{ args: ["-blockdev", JSON.stringify({ driver: "file", filename: missing, "node-name": "d" })] }, /nothing: there is no such file/],
      [{ args: ["-cdrom", "relative.iso"] }, /config\/relative\.iso: there is no such file/],
      [{ emulator: "qemu-system-nothere" }, /there is no such program/],
      [{ vcpus: { max: 2, current: 1, pin: { 0: String(absent) } } }, new RegExp(`CPU ${absent}, which this host does not have`)],
    ];
    await host.write("x");
    await host.ok("start", "x");
    const [pid] = host.pids();
    for (const [definition, why] of ways) {
      await host.write("x", definition);
      const { code, stderr } = await host.cli(["restart", "x", "--timeout", "5s"]);
      expect([code === 0, stderr]).toEqual([false, expect.stringMatching(why)]);
      expect([host.pids(), host.peer("x").events.filter((event) => event !== "RESUME")]).toEqual([[pid], []]);
    }
    await host.ok("destroy", "x");
    for (const [definition, why] of ways) {
      await host.write("x", definition);
      const { code, stderr } = await host.cli(["start", "x"]);
      expect([code === 0, stderr]).toEqual([false, expect.stringMatching(why)]);
      await nothingLeft(host);
    }
  });

  test("B6: sibling: a restart whose guest does not go in time leaves it running, with no record and no second QEMU", async () => {
    await using host = await openHost();
    await host.define("x");
    await host.ok("start", "x");
    const [pid] = host.pids();
    const { code, stderr } = await host.cli(["restart", "x", "--timeout", "700ms"]);
    expect([code, stderr]).toEqual([5, expect.stringMatching(/did not shut down within 700 ms/)]);
    expect([host.pids(), host.peer("x").events.includes("POWERDOWN")]).toEqual([[pid], true]);
    expect(await host.info("x")).toMatchObject({ state: "running" });
    expect(await host.info("x")).not.toHaveProperty("interrupted");
  });

  test("B6: sibling: a config that is damaged, or has another name, stops nothing", async () => {
    await using host = await openHost();
    const path = await host.define("x");
    await host.ok("start", "x");
    const text = await host.text("x");
    for (const damaged of ["{", text.replace('"name": "x"', '"name": "y"'), text.replace('"64MiB"', '"64 parsecs"')]) {
      await writeFile(path, damaged);
      for (const verb of ["restart", "destroy", "start"]) expect((await host.cli([verb, "x"])).code, verb).toBe(3);
      expect(host.pids()).toHaveLength(1);
    }
    await writeFile(path, text);
    await host.ok("destroy", "x");
  });
});

describe("B7: a start that is interrupted or killed", () => {
  /** Starts with a writer that dies at one of its calls to the file system. */
  const killedAt = async (host: Host, words: readonly string[], path: string, when: "before" | "after", nth = 1): Promise<void> => {
    const { code, stderr } = await host.cli(words, { fault: { call: "any", path, when, nth, act: "kill" } });
    expect([code, stderr]).toEqual([null, ""]);
  };

  test("B7: killed while its machine is still paused, it leaves a record: nothing runs it on before recover --finish does, with its pins and its balloon's target", async () => {
    await using host = await openHost();
    await host.define("x", { memory: { max: "64MiB", current: "48MiB" }, vcpus: { max: 2, current: 1, pin: { 0: "1" } } });
    await killedAt(host, ["start", "x"], "/(notes|process)\\.new$", "before");
    const [pid] = host.pids();
    await host.dialled("x", 1);
    expect(await host.peer("x").ask("query-status")).toMatchObject({ running: false });
    expect(await host.info("x")).toMatchObject({ pid, interrupted: expect.stringMatching(/a start was interrupted/) as string });
    for (const words of [
      ["resume", "x"],
      ["start", "x"],
      ["setvcpus", "x", "2", "--live"],
      ["restart", "x"],
      ["undefine", "x"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect([words[0], code, stderr]).toEqual([words[0], 3, expect.stringMatching(/a start was interrupted.*qmpctl recover x --finish/)]);
    }
    expect(await host.peer("x").ask("query-status")).toMatchObject({ running: false });
    await host.ok("recover", "x", "--finish");
    expect([await host.masks("x"), host.pids(), await host.peer("x").ask("query-status")]).toMatchObject([["1"], [pid], { running: true }]);
    expect(await host.info("x")).not.toHaveProperty("interrupted");
  });

  test("B7, P23: recover --undo ends it, --forget leaves it, and what is left can be started or resumed", async () => {
    await using host = await openHost();
    await host.define("x");
    await killedAt(host, ["start", "x"], "/notes\\.new$", "before");
    await host.ok("recover", "x", "--undo");
    await nothingLeft(host);
    expect(await host.info("x")).toMatchObject({ state: "stopped" });
    await killedAt(host, ["start", "x"], "/notes\\.new$", "before");
    await host.ok("recover", "x", "--forget");
    expect(host.pids()).toHaveLength(1);
    await host.ok("resume", "x");
    await host.ok("destroy", "x");
    await host.ok("start", "x");
  });

  test("B7: sibling: killed at each of its writes: there is never a paused machine without a record, nor a second QEMU, and recover brings each to its end", async () => {
    await using host = await openHost();
    await host.define("x");
    let steps = 0;
    for (let nth = 1; ; nth++) {
      const { code } = await host.cli(["start", "x"], {
        fault: { call: "any", path: host.folder, when: nth % 2 === 0 ? "before" : "after", nth, act: "kill" },
      });
      if (code === 0) break;
      expect(code).toBe(null);
      steps++;
      // A QEMU that was just launched may still be on its way up: it is one all the same.
      const running = host.pids();
      expect(running.length).toBeLessThanOrEqual(1);
      const { interrupted, state } = await host.info("x");
      if (running.length === 1 && interrupted === undefined) expect([nth, state]).toEqual([nth, "running"]);
      if (interrupted !== undefined) await host.ok("recover", "x", nth % 4 < 2 ? "--finish" : "--undo");
      expect(await host.info("x")).not.toHaveProperty("interrupted");
      expect(host.pids().length).toBeLessThanOrEqual(1);
      if (host.pids().length === 1) await host.ok("destroy", "x");
      // The record of a start of which nothing is left means nothing, and the next start takes it away.
      expect(host.pids()).toEqual([]);
    }
    expect(steps).toBeGreaterThan(5);
    expect(host.pids()).toHaveLength(1);
    // Each of its writes takes a few commands.
  }, 300_000);

  test("B7: sibling: interrupted at any moment it is undone: 130 and no QEMU, or it was done already", async () => {
    await using host = await openHost();
    await host.define("x", { args: ["-object", "memory-backend-ram,id=m,size=256M,prealloc=on"] });
    const codes = new Set<number | null>();
    for (let after = 0; after <= 600; after += 60) {
      const start = host.start(["start", "x"]);
      await new Promise((resolve) => setTimeout(resolve, after));
      start.child.kill("SIGINT");
      const { code, stderr } = await start.ended;
      codes.add(code);
      // Before it can hear it, the signal ends it; nothing is begun then.
      if (code === 0) await host.ok("destroy", "x");
      else expect([after, code === 130 || code === null, stderr]).toEqual([after, true, expect.stringMatching(/^$|interrupted by SIGINT/)]);
      await nothingLeft(host);
      expect(await host.info("x")).toMatchObject({ state: "stopped" });
    }
    expect(codes.has(130)).toBe(true);
  });

  test("B7: sibling: a restart that is killed between the end of the old machine and the start of the new says so; --finish starts it", async () => {
    await using host = await openHost();
    // With the guest off already, a restart goes on at once.
    await writeFile(host.path("off.bin"), powerOff());
    await host.define("x", { args: ["-bios", host.path("off.bin"), "-no-shutdown"] });
    await host.cli(["start", "x", "--paused"]);
    await host.dialled("x", 1);
    const [old] = host.pids();
    await host.peer("x").ask("cont");
    await host.peer("x").seen("SHUTDOWN");
    const path = join(host.config, "x.json");
    await writeFile(path, (await host.text("x")).replace(/"-bios",\s*"[^"]*",\s*"-no-shutdown"/, '"-device", "virtio-rng-pci"'));
    await killedAt(host, ["restart", "x"], "run/x/output", "before");
    expect([lives(old ?? 0), host.pids()]).toEqual([false, []]);
    expect((await host.info("x")).interrupted ?? "").toMatch(/a restart was interrupted/);
    const { code } = await host.cli(["start", "x"]);
    expect(code).toBe(3);
    await host.ok("recover", "x", "--finish");
    expect(host.pids()).toHaveLength(1);
    expect(await host.info("x")).toMatchObject({ state: "running" });
  });

  test("B7: sibling: killed outright with its group, as a terminal that is closed does it, QEMU is left with a record", async () => {
    await using host = await openHost();
    const serial = await waits(host, "x");
    const start = host.start(["start", "x"]);
    await appears(serial);
    start.child.kill("SIGKILL");
    await once(start.child, "exit");
    expect(host.pids()).toHaveLength(1);
    expect((await host.info("x", {})).interrupted ?? "").toMatch(/a start was interrupted/);
    await host.ok("recover", "x", "--undo");
    await nothingLeft(host);
  });
});
