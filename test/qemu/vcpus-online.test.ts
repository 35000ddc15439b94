import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guestArgs } from "../../scripts/lab/guest.ts";
import { launch, qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

const found = await qemusInTime();
/** Before QEMU 10, guests under software emulation hang with a vCPU above a missing one. */
const modern = found.filter(({ major }) => major >= 10);
const old = found.filter(({ major }) => major < 10);

const on = (list: string): Change => ({ resource: "vcpus-online", vcpus: list, online: list });
const off = (list: string): Change => ({ resource: "vcpus-online", vcpus: list, online: "none" });

/** How a change ends, "static half / dynamic half", or the halves that refuse. */
async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(change, { scope, timeout: 20_000 });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return `refused: ${[...new Set(error.report.refusals.map(({ leg }) => leg))].sort().join("+")}`;
  }
}

/** What the config, QEMU and the guest have, none of it asked by the product. */
async function seen(scene: Scene): Promise<readonly unknown[]> {
  return [(await scene.config()).vcpus.online, await scene.vcpus(), (await scene.console.next()).cpus];
}

describe.each(modern)("chosen vCPUs on QEMU $version", (qemu) => {
  test("a running machine in each scope, its restart, and back to a number", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 1, pin: { 3: "0" } } });
    const { domain, console } = scene;
    await scene.start();
    const until = (cpus: number) => console.until((report) => report.cpus === cpus);

    expect(await endOf(domain, on("3"), "current")).toBe("skipped/applied");
    await until(2);
    expect([await scene.vcpus(), await scene.mask(3), (await scene.config()).vcpus.online]).toEqual([[0, 3], "0", undefined]);
    expect(await endOf(domain, on("2"), "static")).toBe("applied/skipped");
    expect(await endOf(domain, off("3"), "dynamic")).toBe("skipped/applied");
    await until(1);
    expect(await endOf(domain, on("3"), "both")).toBe("applied/applied");
    await until(2);
    expect([(await scene.config()).vcpus, await scene.vcpus()]).toMatchObject([{ current: 3, online: "0,2-3" }, [0, 3]]);
    expect((await domain.diff()).filter(({ resource }) => resource === "vcpus-online")).toMatchObject([{ config: "0,2-3", live: "0,3" }]);

    // P22: live as the config, without a restart; then a restart that has it by itself.
    await domain.revert();
    expect(await scene.vcpus()).toEqual([0, 2, 3]);
    await domain.destroy();
    await scene.start();
    await until(3);
    expect([await scene.vcpus(), await scene.mask(3)]).toEqual([[0, 2, 3], "0"]);

    // One that a start has plugged can go, and a number fills the gap in both halves.
    expect(await endOf(domain, off("2"), "both")).toBe("applied/applied");
    await until(2);
    expect(await endOf(domain, { resource: "vcpus", count: 3 }, "both")).toBe("applied/applied");
    expect([(await scene.config()).vcpus.online, await scene.vcpus()]).toEqual(["0-1,3", [0, 1, 3]]);
  });

  test("a paused machine, one that has not run, and a stopped one", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 2, online: "0,2" } });
    const { domain } = scene;
    expect([await endOf(domain, on("3"), "dynamic"), await endOf(domain, on("3"), "both")]).toEqual(Array(2).fill("refused: dynamic"));
    expect([await endOf(domain, on("3"), "current"), await endOf(domain, off("2"), "static")]).toEqual(Array(2).fill("applied/skipped"));
    await scene.start({ paused: true });
    expect(await scene.vcpus()).toEqual([0, 3]);
    expect(await endOf(domain, on("1"), "both")).toBe("applied/applied");
    expect(await endOf(domain, off("1"), "dynamic")).toBe("refused: dynamic");
    await domain.resume();
    await scene.booted();
    await domain.suspend();
    expect(await endOf(domain, off("3"), "both")).toBe("applied/pending");
    expect(await endOf(domain, on("3"), "dynamic")).toBe("refused: dynamic");
    expect(await endOf(domain, on("2"), "dynamic")).toBe("skipped/applied");
    await domain.resume();
    await expect.poll(() => scene.vcpus(), { timeout: 20_000 }).toEqual([0, 1, 2]);
    expect((await scene.config()).vcpus).toMatchObject({ current: 2 });
  });
});

test.each(found.slice(-1))("chosen vCPUs of a transient machine on QEMU $version", async (qemu) => {
  await using machine = await launch(qemu.binary, [...guestArgs({ smp: "cpus=1,maxcpus=4" }), "-S"]);
  const at = (name: string): string => join(machine.folder, name);
  const domain = await Domain.open(machine.address, { configDir: at("etc"), runtimeDir: at("run"), stateDir: at("state") });
  const ends = [await endOf(domain, on("2"), "static"), await endOf(domain, on("2"), "both"), await endOf(domain, on("2"), "current")];
  expect(ends).toEqual(["refused: static", "refused: static", "skipped/applied"]);
  expect(await endOf(domain, on("1"), "dynamic")).toBe("skipped/applied");
  expect(await domain.diff()).toContainEqual(expect.objectContaining({ resource: "vcpus", config: null, live: 3 }));
});

describe.skipIf(old.length === 0).each(old)("chosen vCPUs on QEMU $version, under software emulation", (qemu) => {
  test("with a gap below are refused, live and at a start; others are plugged", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 1 } });
    const { domain, console } = scene;
    await scene.start();
    expect(await endOf(domain, on("3"), "both")).toBe("refused: dynamic+static");
    expect(await endOf(domain, on("1"), "both")).toBe("applied/applied");
    await console.until((report) => report.cpus === 2);
    expect(await seen(scene)).toEqual([undefined, [0, 1], 2]);
    await domain.destroy();
    expect(await endOf(domain, on("3"), "static")).toBe("applied/skipped");
    await expect(domain.start()).rejects.toThrow(/vcpus\.online is 0-1,3: QEMU .* hangs with vCPU 3 and without vCPU 2/);
    expect((await domain.info()).state).toBe("stopped");
  });
});
