import { describe, expect, test } from "vitest";
import { launch, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { readAffinity } from "../../src/host/taskset.ts";

const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
/** Three masks that differ, on any host with two CPUs. */
const MASKS = ["0", "1", "0-1"] as const;
const IO0: readonly string[] = ["-object", "iothread,id=io0"];

// How each change ends in each scope: "static half / dynamic half", or the halves that refuse.
const done = ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"];
const RUNNING = { "iothread-pin": done, "vhost-pin": ["refused: dynamic", "applied/skipped", "refused: dynamic", "refused: dynamic"] };
const stopped = ["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"];
const STOPPED = { "iothread-pin": stopped, "vhost-pin": stopped };
const transient = ["skipped/applied", "refused: static", "skipped/applied", "refused: static"];
const TRANSIENT = {
  "iothread-pin": transient,
  "vhost-pin": ["refused: dynamic", "refused: static", "refused: dynamic", "refused: static+dynamic"],
};

describe.each(await qemus())("threads on QEMU $version", (qemu) => {
  test("each change in each scope of a paused machine, of a running one, and of a stopped one", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.start({ paused: true });
    const walk = { turn: 0 };
    expect(await everyChange(scene.domain, walk)).toEqual(RUNNING);
    expect(await iothreads(scene)).toMatchObject({ io0: MASKS[3 % 3] });
    await scene.domain.resume();
    expect(await everyChange(scene.domain, walk)).toEqual(RUNNING);
    await scene.domain.destroy();
    walk.turn++;
    expect(await everyChange(scene.domain, walk)).toEqual(STOPPED);
    expect(await scene.config()).toMatchObject({ threads: { iothreads: { io0: "1" }, vhost: "1" } });
  });

  test("each change in each scope of a transient machine", async () => {
    await using machine = await launch(qemu.binary, ["-machine", "q35,accel=tcg", "-nodefaults", "-S", ...IO0]);
    await using folder = await privateFolder();
    const domain = await Domain.open(`unix:${machine.monitors[0] ?? ""}`, {
      configDir: folder.path,
      runtimeDir: `${folder.path}/run`,
      stateDir: `${folder.path}/state`,
    });
    expect(await everyChange(domain, { turn: 0 })).toEqual(TRANSIENT);
  });

  test("a start gives an iothread its pin, and keeps that of one that is not there", async () => {
    await using scene = await openScene(qemu, { args: IO0 });
    await scene.domain.change(
      [
        { resource: "iothread-pin", iothread: "io0", cpus: "1" },
        { resource: "iothread-pin", iothread: "io9", cpus: "0" },
        { resource: "vhost-pin", cpus: "0" },
      ],
      { scope: "static" },
    );
    await scene.start({ paused: true });
    expect(await iothreads(scene)).toEqual({ io0: "1" });
    expect(await scene.domain.diff()).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ resource: "iothread-pin io0", config: "1", live: "1", why: null }),
        expect.objectContaining({ resource: "iothread-pin io9", config: "0", live: null, why: "applied when the iothread is added" }),
        expect.objectContaining({ resource: "vhost-pin", config: "0", live: null }),
      ]) as unknown[],
    );
    await scene.domain.change({ resource: "iothread-pin", iothread: "io0", cpus: "0" }, { scope: "dynamic" });
    await scene.domain.revert({ resource: "iothread-pin" });
    expect(await iothreads(scene)).toEqual({ io0: "1" });
  });
});

async function everyChange(domain: Domain, walk: { turn: number }): Promise<Record<string, string[]>> {
  const table: Record<string, string[]> = {};
  for (const scope of SCOPES) {
    const cpus = MASKS[walk.turn++ % 3] ?? "";
    const changes: readonly Change[] = [
      { resource: "iothread-pin", iothread: "io0", cpus },
      { resource: "vhost-pin", cpus },
    ];
    for (const change of changes) (table[change.resource] ??= []).push(await endOf(domain, change, scope));
  }
  return table;
}

async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(change, { scope, timeout: 20_000 });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { refusals } = error.report;
    expect(refusals.every(({ instead }) => instead !== undefined)).toBe(true);
    return `refused: ${[...new Set(refusals.map(({ leg }) => leg))].sort().reverse().join("+")}`;
  }
}

/** The kernel's mask of each iothread that QEMU has. */
async function iothreads({ ask }: Scene): Promise<Readonly<Record<string, string>>> {
  const found = (await ask("query-iothreads")) as readonly { readonly id: string; readonly "thread-id": number }[];
  return Object.fromEntries(
    await Promise.all(found.map(async ({ id, "thread-id": tid }) => [id, formatCpuList(await readAffinity(tid))] as const)),
  );
}
