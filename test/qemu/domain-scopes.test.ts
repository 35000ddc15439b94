import { describe, expect, test } from "vitest";
import { DISK, DISK_ARGS } from "../../scripts/lab/fake-disks.ts";
import { guestArgs } from "../../scripts/lab/guest.ts";
import { carrier, launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { formatAddress } from "../../src/wire/address.ts";

const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
/** Blocks of 128 MiB that differ from what either half has, and from what the guest still gives. */
const PLUGGED = [1, 2, 3, 4, 0];
/** Three masks that differ, on any host with two CPUs. */
const MASKS = ["0", "1", "0-1"];

// How each change ends in each scope: "static half / dynamic half", or the halves that refuse. The two tables of SCOPES.md, spelled out.
const RUNNING = {
  memory: ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"],
  "max-memory": ["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"],
  vcpus: ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"],
  "max-vcpus": ["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"],
  "vcpu-pin": ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"],
  "emulator-pin": ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"],
};
// A guest that does not run moves no memory.
const PAUSED = { ...RUNNING, memory: ["skipped/pending", "applied/skipped", "skipped/pending", "applied/pending"] };
const stopped = ["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"];
const STOPPED = {
  memory: stopped,
  "max-memory": stopped,
  vcpus: stopped,
  "max-vcpus": stopped,
  "vcpu-pin": stopped,
  "emulator-pin": stopped,
};
const silent = ["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"];
const UNREACHABLE = {
  memory: silent,
  "max-memory": silent,
  vcpus: silent,
  "max-vcpus": silent,
  "vcpu-pin": silent,
  "emulator-pin": silent,
};
const transient = (live: string): string[] => [live, "refused: static", live, "refused: static"];
const never = ["refused: dynamic", "refused: static", "refused: dynamic", "refused: static+dynamic"];
const TRANSIENT = {
  memory: transient("skipped/pending"),
  "max-memory": never,
  vcpus: transient("skipped/applied"),
  "max-vcpus": never,
  "vcpu-pin": transient("skipped/applied"),
  "emulator-pin": transient("skipped/applied"),
};

// What comes to a machine and goes again: the same tables.
const live = RUNNING.vcpus;
const waits = PAUSED.memory;
const MORE_RUNNING = {
  "memory-plugged": live,
  dimm: live,
  "dimm gone": live,
  device: live,
  "device gone": live,
  "disk-throttle": live,
  iothread: live,
  "iothread-set": live,
  "vcpu-sched": live,
  "memory-period": live,
  "iothread gone": live,
};
// A guest that does not run takes no memory, and lets go of nothing. It would never hear that a DIMM which it has not taken is to go.
const MORE_PAUSED = { ...MORE_RUNNING, "memory-plugged": waits, "dimm gone": silent, "device gone": waits };
const MORE_STOPPED = Object.fromEntries(Object.keys(MORE_RUNNING).map((name) => [name, stopped]));
const goesNot = ["refused: dynamic", "refused: static", "refused: dynamic", "refused: static"];
const MORE_TRANSIENT = {
  ...Object.fromEntries(Object.keys(MORE_RUNNING).map((name) => [name, transient("skipped/applied")])),
  "memory-plugged": transient("skipped/pending"),
  // It has not begun to run: its guest would never hear that something is to go. In both, there is nothing that could go.
  "dimm gone": goesNot,
  "device gone": goesNot,
};

const found = await qemusInTime();

describe.each(found)("each change in each scope on QEMU $version", (qemu) => {
  test("of a running and of a paused machine, and of one that does not answer", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 8, current: 1 } });
    const { domain, console } = scene;
    await scene.start();
    const { memTotal } = await console.next();
    // A guest of 5.2 brings a vCPU up before the next one comes: see README.md.
    const walk: Walk = { turn: 0, vcpus: 1, plugged: (count) => console.until((it) => it.cpus === count) };

    expect(await everyChange(domain, walk)).toEqual(RUNNING);
    delete walk.plugged;
    expect(walk.vcpus).toBe(4);
    const report = await console.until((it) => it.cpus === 4);
    expect(near(report.memTotal, memTotal - (512 - 480) * MIB)).toBe(true);
    expect(await scene.config()).toMatchObject({
      memory: { max: "1025MiB", current: "480MiB" },
      vcpus: { max: 10, current: 4, pin: { 0: "0" } },
    });
    expect(await scene.mask(0)).toBe("0");

    await domain.suspend();
    expect(await everyChange(domain, walk)).toEqual(PAUSED);
    await domain.resume();
    await console.until((it) => it.cpus === 7 && near(it.memTotal, memTotal - (512 - 440) * MIB));
    expect(await scene.ask("query-balloon")).toEqual({ actual: 440 * MIB });

    const pid = await scene.pid();
    process.kill(pid, "SIGSTOP");
    const impatient = await Domain.open(domain.name, { ...scene.options, timeout: 300 });
    expect(await impatient.info()).toMatchObject({ state: "unreachable", pid, reason: expect.stringContaining("is stopped by a signal") });
    expect(await everyChange(impatient, walk)).toEqual(UNREACHABLE);
    process.kill(pid, "SIGCONT");
    expect(await domain.info()).toMatchObject({ state: "running", live: { memory: 440 * MIB, vcpus: 7 } });
  });

  test("of a stopped one", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 8, current: 1 } });
    expect(await everyChange(scene.domain, { turn: 0, vcpus: 1 })).toEqual(STOPPED);
    expect(await scene.config()).toMatchObject({
      memory: { max: "1025MiB", current: "500MiB" },
      vcpus: { max: 10, current: 4, pin: { 0: "1" } },
    });
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  });

  // Thread ids that came through a program may be another host's. A program carries what any release says: on the newest.
  test.each([
    ["a transient one", (path: string) => `unix:${path}`, TRANSIENT] as const,
    ...(qemu === found.at(-1)
      ? [
          [
            "a transient one behind a program",
            (path: string) => formatAddress({ kind: "exec", command: carrier(path) }),
            { ...TRANSIENT, "vcpu-pin": never, "emulator-pin": never },
          ] as const,
        ]
      : []),
  ])("of %s", async (_, addressOf, expected) => {
    await using machine = await launch(qemu.binary, [...guestArgs({ smp: "cpus=1,maxcpus=8" }), "-S"]);
    await using folder = await privateFolder();
    const domain = await Domain.open(addressOf(machine.monitors[0] ?? ""), {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await everyChange(domain, { turn: 0, vcpus: 1 })).toEqual(expected);
    expect(await machine.ask("query-cpus-fast")).toHaveLength(3);
  });
});

/** A machine with room for what comes: virtio-mem, slots, a port for each scope, a disk, an iothread. */
const ROOM: readonly string[] = [
  ...["-object", "memory-backend-ram,id=vm-ram,size=512M", "-device", "virtio-mem-pci,id=vm.0,memdev=vm-ram"],
  ...SCOPES.flatMap((scope, slot) => ["-device", `pcie-root-port,id=${scope}-port,chassis=${slot + 1},slot=${slot + 1}`]),
  ...DISK_ARGS,
  ...["-object", "iothread,id=io"],
];
const ROOMY = { memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 8, limit: "4GiB" } }, args: ROOM };

describe.each(found)("what comes and goes in each scope on QEMU $version", { timeout: 300_000 }, (qemu) => {
  test("of a stopped machine", async () => {
    await using scene = await openScene(qemu, ROOMY);
    expect(await everyChange(scene.domain, { turn: 0, vcpus: 1 }, moreAt)).toEqual(MORE_STOPPED);
  });

  // With a guest on the newest: memory-devices.test.ts and devices.test.ts have theirs on all.
  test.runIf(qemu === found.at(-1))("of a running and of a paused machine, whose guest does the rest when it runs again", async () => {
    await using scene = await openScene(qemu, ROOMY);
    const { domain } = scene;
    await scene.start();
    const walk = { turn: 0, vcpus: 1 };
    expect(await everyChange(domain, walk, moreAt)).toEqual(MORE_RUNNING);
    await domain.suspend();
    expect(await everyChange(domain, walk, moreAt)).toEqual(MORE_PAUSED);
    await domain.resume();
    const waiting = async () => (await domain.diff()).flatMap(({ resource, why }) => (why?.startsWith("waits") === true ? [resource] : []));
    await expect.poll(waiting, { timeout: 30_000 }).toEqual([]);
    for (const id of ["d4", "d6", "d7"])
      expect(await domain.change({ resource: "dimm", id, size: 0, node: 0 }, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    expect((await scene.ask("query-memory-devices")) as readonly unknown[]).toMatchObject([{ data: { size: 384 * MIB } }]);
    expect(await scene.ask("qom-list", { path: "/machine/peripheral" })).not.toContainEqual(
      expect.objectContaining({ name: expect.stringMatching(/^rng/) as string }),
    );
  });

  test("of a transient machine", async () => {
    const args = ["-machine", "q35,accel=tcg", "-m", "size=256M,slots=8,maxmem=4G", "-device", "virtio-balloon-pci,id=balloon0", ...ROOM];
    await using machine = await launch(qemu.binary, [...args, "-S"]);
    await using folder = await privateFolder();
    const domain = await Domain.open(machine.address, {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await everyChange(domain, { turn: 0, vcpus: 1 }, moreAt)).toEqual(MORE_TRANSIENT);
  });
});

/** Changes by the names of their rows. */
type Changes = Readonly<Record<string, Change>>;

/** Where a machine's walk through the table stands: each change goes to a value that neither half has. */
interface Walk {
  turn: number;
  vcpus: number;
  /** Waits for a guest that runs. */
  plugged?: (count: number) => Promise<unknown>;
}

async function everyChange(domain: Domain, walk: Walk, rowsAt = changesAt): Promise<Record<string, string[]>> {
  const table: Record<string, string[]> = {};
  for (const scope of SCOPES) {
    for (const [row, change] of Object.entries(rowsAt(walk, scope))) {
      const end = await endOf(domain, change, scope);
      (table[row] ??= []).push(end);
      if (change.resource !== "vcpus" || !end.endsWith("/applied")) continue;
      walk.vcpus += 1;
      await walk.plugged?.(walk.vcpus);
    }
    walk.turn += 1;
  }
  return table;
}

function changesAt({ turn, vcpus }: Walk, scope: Scope): Changes {
  return {
    "max-memory": { resource: "max-memory", size: (1024 + turn) * MIB },
    memory: { resource: "memory", size: (510 - 10 * turn) * MIB },
    "max-vcpus": { resource: "max-vcpus", count: 9 + turn },
    vcpus: { resource: "vcpus", count: scope === "static" ? vcpus + 3 : vcpus + 1 },
    "vcpu-pin": { resource: "vcpu-pin", vcpu: 0, cpus: MASKS[turn % 3] ?? "" },
    "emulator-pin": { resource: "emulator-pin", cpus: MASKS[turn % 3] ?? "" },
  };
}

function moreAt({ turn }: Walk, scope: Scope): Changes {
  const [dimm, device] = [`d${turn}`, `rng${turn}`];
  const iothread = `io${turn}`;
  return {
    "memory-plugged": { resource: "memory-plugged", id: "vm.0", size: 128 * (PLUGGED[turn % 5] ?? 0) * MIB },
    dimm: { resource: "dimm", id: dimm, size: 128 * MIB, node: 0 },
    "dimm gone": { resource: "dimm", id: dimm, size: 0, node: 0 },
    device: { resource: "device", id: device, words: `-device virtio-rng-pci,id=${device},bus=${scope}-port` },
    "device gone": { resource: "device", id: device, words: "absent" },
    "disk-throttle": { resource: "disk-throttle", disk: DISK, limits: `iops=${100 + turn}` },
    iothread: { resource: "iothread", iothread, state: "present" },
    "iothread-set": { resource: "iothread-set", iothread: "io", settings: `poll-max-ns=${turn + 1}` },
    "vcpu-sched": { resource: "vcpu-sched", vcpu: 0, policy: ["batch", "idle", "other"][turn % 3] ?? "" },
    "memory-period": { resource: "memory-period", seconds: 10 + turn },
    "iothread gone": { resource: "iothread", iothread, state: "absent" },
  };
}

/** A refused change must have touched nothing: neither the file nor the machine. */
async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  const before = await stateOf(domain);
  try {
    const { changes } = await domain.change(change, { scope, timeout: 20_000 });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    expect(await stateOf(domain)).toEqual(before);
    const { refusals } = error.report;
    expect(refusals.every(({ instead }) => instead !== undefined)).toBe(true);
    return `refused: ${[...new Set(refusals.map(({ leg }) => leg))].sort().reverse().join("+")}`;
  }
}

async function stateOf(domain: Domain): Promise<unknown> {
  const [{ config, live }, vcpus, text] = await Promise.all([domain.info(), domain.vcpus(), configText(domain)]);
  // What the host holds of its memory changes by itself.
  const { host: _, ...itsOwn } = live ?? { host: 0 };
  return { config, text, live: itsOwn, masks: vcpus.map(({ affinity, pin }) => [affinity, pin]) };
}

/** The text of the config; a transient machine has none. */
async function configText(domain: Domain): Promise<string | null> {
  return domain.configPath === undefined ? null : await domain.config();
}
