import { readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import type { MachineSample, Sample } from "../../src/domain/views/sample.ts";
import { Sampler } from "../../src/domain/views/sampler.ts";
import { program } from "../cli/program.ts";
import { programInTerminal } from "../cli/pty.ts";
import { Emulated } from "../cli/top/emulated.ts";
import { type Host, isRoot, NOBODY, openHost } from "./host.ts";

const DISK = ["-drive", "driver=null-co,size=1M,if=none,id=d0", "-device", "virtio-blk-pci,drive=d0,id=vda"];

/** Long enough for every QEMU of a loaded host; none that answers takes it. */
const ASKED = { settle: 20_000 };
const MIB = 2 ** 20;

/** One of this test's own: other tests, and anybody, may run a QEMU of the same name beside it. */
function machineIn({ machines }: Sample, name: string): MachineSample {
  const found = machines.filter((each) => each.defined && each.name === name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} machines are called ${name}`);
  return found[0];
}

/** A machine of a sample for which it has answered: on a busy host a look may come to its deadline. */
async function answering(sampler: Sampler, name: string): Promise<MachineSample> {
  for (;;) {
    const machine = machineIn(await sampler.next(ASKED), name);
    if (machine.state !== "unreachable") return machine;
  }
}

/** A program that takes monitors and never leaves them. */
const HOLDER = `for (const path of process.argv.slice(1)) require("node:net").connect(path).write('{"execute":"qmp_capabilities"}');`;

/** How many clients a socket has accepted. */
function acceptedAt(path: string): number {
  return linesOn(path).filter((line) => / 03 +[1-9]/.test(line)).length;
}

/** How many clients wait in the queue of a socket: those have no inode yet. */
function queuedAt(path: string): number {
  return linesOn(path).filter((line) => / 02 +0 /.test(line)).length;
}

function linesOn(path: string): readonly string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${path}`));
}

/** Resolves when it is so: looks again and again, as nobody tells. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(await qemusInTime(1))("QEMU $version", (qemu) => {
  let host: Host;
  let sampler: Sampler;
  beforeAll(async () => {
    host = await openHost(qemu);
    await host.define("web", { args: DISK });
    await host.ok("start", "web");
    sampler = new Sampler({ env: host.env });
  });
  afterAll(() => host[Symbol.asyncDispose]());

  test("a sample has what the kernel and QEMU know of a machine", async () => {
    const web = await answering(sampler, "web");
    expect(web).toMatchObject({
      ...{ defined: true, state: "running", pid: host.pids()[0], differs: [], interrupted: false },
      count: { current: 1, max: 2 },
      memory: { current: 64 * MIB, target: null, max: 64 * MIB },
      disks: { disks: [{ disk: "vda", failedReads: 0 }] },
    });
    expect(web.memory.host).toBeGreaterThan(MIB);
    expect(web.cpuTime).toBeGreaterThan(0);
    expect(web.vcpus).toEqual([{ vcpu: 0, cpu: expect.any(Number), cpuTime: expect.any(Number), waitTime: expect.any(Number) }]);
    // Let go of at once: a change does not have to wait.
    await host.ok("setvcpus", "web", "2", "--live", "--timeout", "5s");
    expect((await answering(sampler, "web")).vcpus).toHaveLength(2);
  });

  test("what differs from the config is told apart: drift, what waits for the next start, what is on its way", async () => {
    await host.ok("setmaxmem", "web", "128M", "--config");
    expect((await host.cli(["setmem", "web", "48M", "--live", "--timeout", "300ms", "--force"])).code).toBe(5);
    const { differs, memory } = await answering(sampler, "web");
    expect(memory).toMatchObject({ current: 64 * MIB, target: 48 * MIB });
    expect(differs.map(({ resource, kind }) => [resource, kind])).toEqual(
      expect.arrayContaining([
        ["max-memory", "next start"],
        ["vcpus", "drift"],
      ]),
    );
  });

  test("a monitor that others hold is left alone; what is known stays, and the kernel's figures go on", async () => {
    const monitors = ["control", "watch"].map((name) => host.path("run", "web", `${name}.sock`));
    const holder = host.spawn([process.execPath, "-e", HOLDER, ...monitors]);
    await until(() => monitors.every((path) => acceptedAt(path) === 1));
    const web = machineIn(await sampler.next(ASKED), "web");
    expect(web).toMatchObject({ state: null, reason: expect.stringMatching(/is held by/), count: { current: 2 } });
    expect(web.vcpus).toHaveLength(2);
    expect(web.asked).toBeGreaterThan(0);
    expect(monitors.map(queuedAt)).toEqual([0, 0]);
    holder.kill("SIGKILL");
    await until(() => monitors.every((path) => acceptedAt(path) === 0));
  });

  test("one that hangs delays no sample", async () => {
    const pid = host.pids()[0] ?? 0;
    process.kill(pid, "SIGSTOP");
    try {
      const web = machineIn(await sampler.next(ASKED), "web");
      expect(web).toMatchObject({ state: "unreachable", reason: expect.stringMatching(/stopped by a signal/), memory: { max: 64 * MIB } });
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect((await answering(sampler, "web")).state).toBe("running");
  });

  test("machines come and go; those without a config are shown with what /proc has", async () => {
    await host.write("new");
    await host.openToOthers();
    const { pid } = await host.hand("stray", ["-S"], isRoot ? { uid: NOBODY } : {});
    const sample = await sampler.next(ASKED);
    expect(machineIn(sample, "new")).toMatchObject({ state: "stopped", cpuTime: null, memory: { current: 64 * MIB, host: null } });
    const stray = sample.machines.find((each) => each.pid === pid);
    expect(stray).toMatchObject({
      name: "stray",
      defined: false,
      state: null,
      count: { current: 1, max: 2 },
      ...(isRoot ? { user: NOBODY } : {}),
    });
    expect(stray?.memory.host).toBeGreaterThan(MIB);
    await host.ok("start", "new", "--paused");
    expect((await answering(sampler, "new")).state).toBe("paused");
    await host.ok("destroy", "new");
    rmSync(host.path("config", "new.json"));
    expect((await sampler.next(ASKED)).machines.some(({ name, defined }) => defined && name === "new")).toBe(false);
  });
});

describe("the screen", () => {
  let host: Host;
  beforeAll(async () => {
    host = await openHost();
    await host.define("shown", { vcpus: { max: 2, current: 2 }, args: DISK });
    await host.ok("start", "shown");
    await host.ok("setmaxmem", "shown", "128M", "--config");
  });
  afterAll(() => host[Symbol.asyncDispose]());

  test.each([
    ["80 by 24", 80, 24],
    ["200 by 50", 200, 50],
  ])("of %s has a machine, its vCPUs and disks, and what waits for the next start", async (_what, columns, rows) => {
    const argv = [process.execPath, program, "top", "shown", "--every", "200ms"];
    const env = Object.fromEntries(Object.entries(host.env).map(([name, value]) => [name, value ?? ""]));
    await using pty = programInTerminal(argv, { LANG: "C.UTF-8", ...env }, { columns, rows });
    const shows = (isIt: (lines: readonly string[]) => boolean): Promise<void> =>
      pty.writes((output) => {
        const screen = new Emulated(columns, rows);
        screen.take(output);
        return isIt(screen.lines);
      });
    const words = columns > 100 ? / N +next start: max-memory$/ : / N$/;
    await shows((lines) => lines.some((line) => /^> shown +running +[\d.]+ /.test(line) && / 2 +64M /.test(line) && words.test(line)));
    pty.type("\r");
    await shows(
      (lines) => lines.some((line) => /^ +vCPU 1 +\[.*\] +[\d.]+% +steal/.test(line)) && lines.some((line) => /^ +disk vda/.test(line)),
    );
    pty.type("q");
    expect(await pty.ended).toBe(0);
  });
});
