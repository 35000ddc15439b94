import { describe, expect, test } from "vitest";
import { guestArgs } from "../../scripts/lab/guest.ts";
import { carrier, launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, near, openScene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { formatAddress } from "../../src/wire/address.ts";

const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
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

/** Where a machine's walk through the table stands: each change goes to a value that neither half has. */
interface Walk {
  turn: number;
  vcpus: number;
  /** Waits for a guest that runs. */
  plugged?: (count: number) => Promise<unknown>;
}

async function everyChange(domain: Domain, walk: Walk): Promise<Record<string, string[]>> {
  const table: Record<string, string[]> = {};
  for (const scope of SCOPES) {
    for (const change of changesAt(walk, scope)) {
      const end = await endOf(domain, change, scope);
      (table[change.resource] ??= []).push(end);
      if (change.resource !== "vcpus" || !end.endsWith("/applied")) continue;
      walk.vcpus += 1;
      await walk.plugged?.(walk.vcpus);
    }
    walk.turn += 1;
  }
  return table;
}

function changesAt({ turn, vcpus }: Walk, scope: Scope): readonly Change[] {
  return [
    { resource: "max-memory", size: (1024 + turn) * MIB },
    { resource: "memory", size: (510 - 10 * turn) * MIB },
    { resource: "max-vcpus", count: 9 + turn },
    { resource: "vcpus", count: scope === "static" ? vcpus + 3 : vcpus + 1 },
    { resource: "vcpu-pin", vcpu: 0, cpus: MASKS[turn % 3] ?? "" },
    { resource: "emulator-pin", cpus: MASKS[turn % 3] ?? "" },
  ];
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
  const [{ config, live }, vcpus] = await Promise.all([domain.info(), domain.vcpus()]);
  // What the host holds of its memory changes by itself.
  const { host: _, ...itsOwn } = live ?? { host: 0 };
  return { config, live: itsOwn, masks: vcpus.map(({ affinity, pin }) => [affinity, pin]) };
}
