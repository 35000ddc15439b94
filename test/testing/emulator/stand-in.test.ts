import { execFile, type ExecFileException } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, watch } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wireClient } from "../../../scripts/lab/wire-client.ts";
import { commandLineOf, processOf, threadsOf } from "../../../src/host/threads.ts";
import { fakeMachine, MismatchError, type StandIn } from "../../../src/testing/index.ts";

const HEAD = ["# qemu: 7.2.22 (Debian)", "# arch: x86_64", "# command: qemu-system-x86_64 -m 512M -smp cpus=1,maxcpus=2"];
const OPEN = [
  "#! connect 1 control",
  '<- {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}',
  '-> {"execute":"qmp_capabilities","id":1}',
  '<- {"return": {}, "id": 1}',
];
const CPUS = [
  '-> {"execute":"query-cpus-fast","id":2}',
  '<- {"return": [{"thread-id": 77, "props": {"core-id": 0, "thread-id": 0}, "cpu-index": 0}], "id": 2}',
];
const OBJECTS = [
  '-> {"execute":"qom-list","arguments":{"path":"/objects"},"id":2}',
  `<- {"return": [{"name": "${marked(0)}", "type": "child<authz-simple>"}], "id": 2}`,
  '-> {"execute":"query-uuid","id":3}',
  '<- {"return": {"UUID": "00000000-0000-0000-0000-000000000000"}, "id": 3}',
];
const CONT = [
  '-> {"execute":"cont","id":3}',
  '<- {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME"}',
  '<- {"return": {}, "id": 3}',
];

let folder = "";
const files: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const texts = {
    first: [...HEAD, ...OPEN, ...CPUS, ...CONT, "#! close 1", "#! exit outside"],
    second: [...HEAD, ...OPEN, ...CPUS, "#! close 1", "#! exit outside"],
    crash: [...HEAD, ...OPEN, '-> {"execute":"device_add","id":2}', '#! stderr "corrupted double-linked list\\n"', "#! exit crashed"],
    marked: [
      ...HEAD.slice(0, 2),
      `${HEAD[2]} -object authz-simple,id=${marked(0)},identity=DIR/x.json`,
      '#! stderr "qemu-system-x86_64: warning: mind\\n"',
      ...OPEN,
      ...OBJECTS,
      '#! stderr "qemu_system_shutdown_request reason=6\\n"',
      "#! close 1",
      "#! exit outside",
    ],
    refused: [...HEAD, '#! stderr "qemu-system-x86_64: -device x: no such device\\n"', "#! exit 1"],
  };
  for (const [name, lines] of Object.entries(texts)) {
    files[name] = join(folder, `${name}.qmp`);
    await writeFile(join(folder, `${name}.qmp`), `${lines.join("\n")}\n`);
  }
});

afterAll(() => rm(folder, { recursive: true }));

const run = promisify(execFile);

function places(machine: StandIn) {
  const at = (name: string): string => join(machine.folder, "run", name);
  const args = [
    "-name",
    "guest=x",
    "-m",
    "512M",
    "-smp",
    "cpus=1,maxcpus=2",
    "-qmp",
    `unix:${at("control.sock")},server=on,wait=off`,
    "-qmp",
    `unix:${at("watch.sock")},server=on,wait=off`,
  ];
  return {
    control: `unix:${at("control.sock")}`,
    watch: `unix:${at("watch.sock")}`,
    pidfile: at("pid"),
    args: [...args, "-pidfile", at("pid"), "-D", at("log"), "-daemonize", "-S"],
  };
}

async function refusal(machine: StandIn, args: readonly string[]): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const error: unknown = await run(machine.emulator, args).catch((it: unknown) => it);
  const { code, stderr } = error as ExecFileException & { readonly stderr: string };
  return { code, stderr };
}

describe("the fake emulator", () => {
  it("is gone when its machine is closed: one that was still dying would be taken for the next test's machine", async () => {
    const machine = await fakeMachine({ runs: [files["second"] ?? ""] });
    const { args, pidfile } = places(machine);
    await start(machine, args);
    const pid = Number(readFileSync(pidfile, "utf8"));
    await machine.close();
    expect(existsSync(`/proc/${pid}/cmdline`) && (await commandLineOf(pid))).toBeFalsy();
  });

  it("starts as QEMU does: when it returns, monitors listen and the pidfile is written", async () => {
    await using machine = await fakeMachine({ runs: [files["second"] ?? ""] });
    const { args, control, watch, pidfile } = places(machine);
    await start(machine, args);
    const pid = Number(readFileSync(pidfile, "utf8"));
    expect(await commandLineOf(pid)).toEqual(expect.arrayContaining(args));
    for (const address of [control, watch]) {
      await using client = await wireClient(address);
      await client.negotiate();
      const [cpu] = (await client.ask("query-cpus-fast"))["return"] as [{ "thread-id": number; props: { "thread-id": number } }];
      expect(await processOf(cpu["thread-id"])).toBe(pid);
      expect(cpu.props["thread-id"]).toBe(0);
      expect(await threadsOf(pid)).toContainEqual({ tid: cpu["thread-id"], name: "CPU 0/TCG" });
    }
  });

  it("plays one run for each start, and no more than were recorded", async () => {
    await using machine = await fakeMachine({ runs: [files["first"] ?? "", files["second"] ?? ""] });
    const { args, control, pidfile } = places(machine);
    for (const commands of [["query-cpus-fast", "cont"], ["query-cpus-fast"]]) {
      await start(machine, args);
      await using client = await wireClient(control);
      await client.negotiate();
      for (const command of commands) expect(await client.ask(command)).toHaveProperty("return");
      process.kill(Number(readFileSync(pidfile, "utf8")), "SIGTERM");
      expect(await client.message()).toMatchObject({ event: "SHUTDOWN", data: { guest: false, reason: "host-signal" } });
      await client.ended;
    }
    await machine.verify({ finished: true });
    expect(await refusal(machine, args)).toMatchObject({
      code: 1,
      stderr: "qemu-system: no run left: 2 recorded, this would be number 3\n",
    });
  });

  it("removes its pidfile and its sockets when it ends in order", async () => {
    await using machine = await fakeMachine({ runs: [files["first"] ?? ""] });
    const { args, pidfile, control } = places(machine);
    const foreground = args.filter((it) => it !== "-daemonize");
    const child = execFile(machine.emulator, foreground);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    process.kill(await writtenPid(pidfile), "SIGTERM");
    await ended;
    expect([existsSync(pidfile), existsSync(control.slice(5))]).toEqual([false, false]);
  });

  it("dies as recorded: in the middle of a command, with its last words, pidfile left behind", async () => {
    await using machine = await fakeMachine({ runs: [files["crash"] ?? ""] });
    const { args, pidfile, control } = places(machine);
    const { stderr } = await start(machine, args);
    await using client = await wireClient(control);
    await client.negotiate();
    client.send('{"execute":"device_add"}');
    await client.ended;
    expect(client.received()).toBe("");
    await stderr.closed;
    expect(stderr.text()).toBe("corrupted double-linked list\n");
    expect(existsSync(pidfile)).toBe(true);
  });

  it("answers with the mark of its own command line, and says on stderr what QEMU said, when it said it", async () => {
    await using machine = await fakeMachine({ runs: [files["marked"] ?? ""] });
    const { args, control, pidfile } = places(machine);
    const { stderr } = await start(machine, [...args, "-object", `authz-simple,id=${marked(7)},identity=/etc/x.json`]);
    await using client = await wireClient(control);
    await client.negotiate();
    expect(await client.ask("qom-list", { path: "/objects" })).toMatchObject({ return: [{ name: marked(7) }] });
    expect(await client.ask("query-uuid")).toMatchObject({ return: { UUID: "00000000-0000-0000-0000-000000000000" } });
    process.kill(Number(readFileSync(pidfile, "utf8")), "SIGTERM");
    await stderr.closed;
    expect(stderr.text()).toBe("qemu-system-x86_64: warning: mind\nqemu_system_shutdown_request reason=6\n");
  });

  it("tells the test where a client left the recording, by file and line", async () => {
    const machine = await fakeMachine({ runs: [files["first"] ?? ""] });
    const { args, control } = places(machine);
    await start(machine, args);
    await using client = await wireClient(control);
    await client.negotiate();
    expect(await client.ask("stop")).toMatchObject({
      error: { desc: "not as recorded (first.qmp:10): stop was asked where cont comes next" },
    });
    await expect(machine.verify()).rejects.toThrow(MismatchError);
    await expect(machine.verify({ finished: true })).rejects.toThrow("transcript not finished (first.qmp:10): cont was never asked");
    await machine.close();
  });

  it("refuses what the recorded release would refuse, unless it shall know no schema", async () => {
    for (const schema of [undefined, false, "11.1"] as const) {
      await using machine = await fakeMachine({ runs: [files["first"] ?? ""], ...(schema === undefined ? {} : { schema }) });
      const { args, control } = places(machine);
      await start(machine, args);
      await using client = await wireClient(control);
      await client.negotiate();
      const known = "The command device-sync-config has not been found";
      expect(await client.ask("device-sync-config")).toMatchObject({
        error: {
          desc:
            schema === undefined
              ? known
              : schema === false
                ? (expect.stringContaining("not as recorded") as string)
                : "Parameter 'id' is missing",
        },
      });
      const told = machine.verify();
      if (schema === false) await expect(told).rejects.toThrow("device-sync-config");
      else await told;
    }
  });

  it("tells a start with another machine than the recorded one", async () => {
    const machine = await fakeMachine({ runs: [files["first"] ?? ""] });
    await start(
      machine,
      places(machine).args.map((it) => (it === "512M" ? "1G" : it)),
    );
    await expect(machine.close()).rejects.toThrow("not as recorded (first.qmp:3): started with -m 1G, recorded with -m 512M");
  });

  it("fails to start where QEMU failed", async () => {
    await using machine = await fakeMachine({ runs: [files["refused"] ?? ""] });
    expect(await refusal(machine, places(machine).args)).toEqual({ code: 1, stderr: "qemu-system-x86_64: -device x: no such device\n" });
  });

  it("says which QEMU it plays", async () => {
    await using machine = await fakeMachine({ runs: [files["first"] ?? ""] });
    expect((await run(machine.emulator, ["--version"])).stdout).toBe("QEMU emulator version 7.2.22 (Debian)\n");
  });

  it.each([
    [["-m"], "-m: requires an argument"],
    [["-m", "foo"], "-m foo: Parameter 'size' expects a non-negative number below 2^64"],
    [
      ["-m", "size=1G,slots=1,maxmem=512M"],
      "invalid value of maxmem: maximum memory size (0x20000000) must be at least the initial memory size (0x40000000)",
    ],
    [
      ["-smp", "cpus=4,maxcpus=2"],
      "Invalid CPU topology: maxcpus must be equal to or greater than smp: sockets (1) * cores (2) * threads (1) == maxcpus (2) < smp_cpus (4)",
    ],
    [
      ["-smp", "cpus=2,maxcpus=4,sockets=1,cores=3,threads=1"],
      "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (1) * cores (3) * threads (1) != maxcpus (4)",
    ],
    [["-mon", "chardev=nope,mode=control"], '-mon chardev=nope,mode=control: chardev "nope" not found'],
    [["-qmp", "bogus:1"], "-qmp bogus:1: 'bogus:1' is not a valid char driver"],
    [["-qmp", `unix:/${"x".repeat(107)},server=on,wait=off`], "is too long\nPath must be less than 108 bytes"],
    [
      ["-qmp", "unix:/nowhere/x.sock,server=on,wait=off"],
      "-qmp unix:/nowhere/x.sock,server=on,wait=off: Failed to bind socket to /nowhere/x.sock: No such file or directory",
    ],
    [["-pidfile", "/nowhere/pid"], "cannot create PID file: Could not create '/nowhere/pid': No such file or directory"],
  ])("refuses %j in QEMU's words", async (args, words) => {
    await using machine = await fakeMachine({ runs: [files["first"] ?? ""] });
    const { code, stderr } = await refusal(machine, args);
    expect(code).toBe(1);
    expect(stderr).toContain(words);
  });
});

/** The name of the object that marks a machine. */
function marked(digit: number): string {
  return `qmpctl-00000000-0000-0000-0000-00000000000${digit}`;
}

/** Starts in the background, keeping its stderr: that stays open as long as it lives. */
async function start(machine: StandIn, args: readonly string[]) {
  const child = execFile(machine.emulator, args);
  let text = "";
  child.stderr?.on("data", (it) => {
    text += String(it);
  });
  const closed = new Promise((resolve) => child.stderr?.once("close", resolve));
  await new Promise((resolve) => child.once("exit", resolve));
  return { stderr: { text: () => text, closed } };
}

/** The process id that a pidfile names, once it is written. */
async function writtenPid(path: string): Promise<number> {
  const watcher = watch(dirname(path));
  const read = (): string => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");
  while (read() === "") await once(watcher, "change");
  watcher.close();
  return Number(read());
}
