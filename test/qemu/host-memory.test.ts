/// <reference lib="esnext.disposable" />
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { getuid } from "node:process";
import { describe, expect, test } from "vitest";
import { installed, launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";

const found = await qemusInTime();
const newest = found.at(-1) as (typeof found)[number];

/** RAM that the host gives all of at the start, as if the guest had touched it. */
const TOUCHED = ["-object", "memory-backend-ram,id=ram0,size=512M,prealloc=on", "-machine", "memory-backend=ram0"];

/** How many huge pages the host makes when one is asked for and none is there. */
const SURPLUS = "/proc/sys/vm/nr_overcommit_hugepages";

/** What the kernel says that a process has in RAM, without the product. */
async function rssOf(scene: Scene): Promise<number> {
  const text = await readFile(`/proc/${await scene.pid()}/smaps_rollup`, "utf8");
  return Number(/^Rss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

const between = (value: number | undefined, least: number, most: number): void => {
  expect(value).toBeGreaterThan(least);
  expect(value).toBeLessThan(most);
};

describe.each(found)("the host's memory on QEMU $version", (qemu) => {
  test("falls by what the guest gave up of the memory that it had, and the report, diff and info say so", async () => {
    await using scene = await openScene(qemu, { args: TOUCHED });
    await scene.start();
    const before = await rssOf(scene);
    expect(before).toBeGreaterThan(512 * MIB);
    const { outcome, host } = await scene.domain.setMemory(300 * MIB);
    const after = await rssOf(scene);
    expect([outcome, host?.givenUp, host?.why]).toEqual(["applied", 212 * MIB, []]);
    between(before - after, 200 * MIB, 224 * MIB);
    between(host?.freed, 200 * MIB, 224 * MIB);
    between((host?.before.resident ?? 0) - before, -8 * MIB, 8 * MIB);
    between((host?.after.resident ?? 0) - after, -8 * MIB, 8 * MIB);
    between(((await scene.domain.diff())[0]?.host ?? 0) - after, -8 * MIB, 8 * MIB);
    between(((await scene.domain.info()).live?.host ?? 0) - after, -8 * MIB, 8 * MIB);
    const more = await scene.domain.setMemory(512 * MIB);
    expect(more.host).toMatchObject({ givenUp: 0, freed: 0, why: [] });
  });
});

// How a change of how often the guest is asked ends in each scope: "static half / dynamic half", or the halves that refuse.
const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];
const ASKED = ["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"];
const STOPPED = ["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"];
const TRANSIENT = ["skipped/applied", "refused: static", "skipped/applied", "refused: static"];
const NO_BALLOON = ["refused: dynamic", "refused: static", "refused: dynamic", "refused: static+dynamic"];

/** Each scope in turn, to a value that neither half has. */
async function everyScope(domain: Domain, first: number): Promise<readonly string[]> {
  const ends: string[] = [];
  for (const [turn, scope] of SCOPES.entries()) {
    try {
      const { changes } = await domain.change({ resource: "memory-period", seconds: first + turn }, { scope });
      ends.push(`${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      expect(error.report.refusals.every(({ instead }) => instead !== undefined)).toBe(true);
      ends.push(`refused: ${error.report.refusals.map(({ leg }) => leg).join("+")}`);
    }
  }
  return ends;
}

describe.each(found)("how often the guest is asked on QEMU $version", (qemu) => {
  const BALLOON = ["-device", "virtio-balloon-pci,id=b-1.x_y"];
  const period = { path: "/machine/peripheral/b-1.x_y", property: "guest-stats-polling-interval" };

  test("in each scope of a paused machine, of a running one, of a stopped one; kept over a start, reverted and persisted", async () => {
    await using scene = await openScene(qemu, { guest: { balloonDevice: false }, args: BALLOON });
    const { domain } = scene;
    await scene.start({ paused: true });
    expect(await scene.ask("qom-get", period)).toBe(5);
    expect(await domain.memory()).toMatchObject({ guest: null, why: expect.stringContaining("no driver for the balloon") });
    expect(await everyScope(domain, 10)).toEqual(ASKED);
    expect(await scene.ask("qom-get", period)).toBe(13);
    await domain.resume();
    expect(await everyScope(domain, 20)).toEqual(ASKED);
    await scene.ask("qom-set", { ...period, value: 7 });
    expect(await domain.revert({ resource: "memory-period" })).toMatchObject({ outcome: "applied" });
    expect(await scene.ask("qom-get", period)).toBe(23);
    await scene.ask("qom-set", { ...period, value: 8 });
    expect(await domain.persist({ resource: "memory-period" })).toMatchObject({ outcome: "applied" });
    expect((await scene.config()).memory.period).toBe(8);
    await domain.destroy();
    expect(await everyScope(domain, 30)).toEqual(STOPPED);
    await scene.start({ paused: true });
    expect(await scene.ask("qom-get", period)).toBe(31);
    // The longest that QEMU takes.
    const longest = { resource: "memory-period", seconds: 2 ** 32 - 1 } as const;
    expect(await domain.change(longest)).toMatchObject({ outcome: "applied" });
    expect(await scene.ask("qom-get", period)).toBe(2 ** 32 - 1);
  });

  test("in each scope of a transient machine, of one without a balloon, and of one whose balloon has no id", async () => {
    const folders = (path: string) => ({ configDir: path, runtimeDir: `${path}/run`, stateDir: `${path}/state` });
    for (const [args, expected] of [
      [["-device", "virtio-balloon-pci"], TRANSIENT],
      [[], NO_BALLOON],
    ] as const) {
      await using folder = await privateFolder();
      await using machine = await launch(qemu.binary, ["-machine", "q35,accel=tcg", "-S", ...args]);
      const domain = await Domain.open(machine.address, folders(folder.path));
      expect(await everyScope(domain, 10)).toEqual(expected);
      if (args.length === 0) expect((await domain.memory()).why).toMatch(/no balloon device/);
      else expect(await domain.memory()).toMatchObject({ guest: null, host: { resident: expect.any(Number) } });
    }
  });
});

describe("the host gets less than the guest gave up", () => {
  test("of memory that the guest never touched; of what it touched, it gets that", async () => {
    await using scene = await openScene(newest);
    await scene.start();
    const first = await scene.cli("setmem", "web", "400M");
    expect(first.stdout).toMatch(/^host: .* freed, of the 112MiB given up: the host held only \d+MiB of the guest's 512MiB before/m);
    expect(first.code).toBe(0);
    await scene.domain.setMemory(512 * MIB);
    const untouched = await rssOf(scene);
    await scene.console.tell("hold 24");
    expect(await rssOf(scene)).toBeGreaterThan(untouched + 20 * MIB);
  });

  test("of locked memory, and of a DIMM of it, which goes as a whole a moment after QEMU has answered", async () => {
    const memory = { max: "512MiB", current: "512MiB", hotplug: { slots: 1, limit: "1GiB" } };
    await using scene = await openScene(await installed(), { memory, args: ["-overcommit", "mem-lock=on"] });
    await scene.start();
    const { host } = await scene.domain.setMemory(300 * MIB);
    expect(host).toMatchObject({ givenUp: 212 * MIB, why: [expect.stringMatching(/^\d+MiB are locked \(VmLck\)/)] });
    expect(host?.freed).toBeLessThan(8 * MIB);
    expect(host?.after.locked).toBeGreaterThan(512 * MIB);
    const { memTotal } = await scene.console.next();
    const dimm = (size: number) => scene.domain.change({ resource: "dimm", id: "dimm1", size, node: 0 });
    await dimm(128 * MIB);
    await scene.console.until(({ memTotal: now }) => now > memTotal + 112 * MIB);
    const gone = await dimm(0);
    expect(gone.host?.freed).toBeGreaterThan(120 * MIB);
    expect(gone.host?.why).toEqual([]);
  });

  test.runIf(existsSync(SURPLUS) && getuid?.() === 0)("of huge pages", async () => {
    await using _ = await surplusOf(300);
    const huge = ["-object", "memory-backend-memfd,id=ram0,size=512M,hugetlb=on,share=on", "-machine", "memory-backend=ram0"];
    await using scene = await openScene(newest, { args: huge });
    await scene.start();
    const { host } = await scene.domain.setMemory(300 * MIB);
    expect(host?.why[0]).toMatch(/^\d+MiB are huge pages \(hugetlbfs\)/);
    // Rss does not count them.
    expect(host?.after.resident).toBeGreaterThan((await rssOf(scene)) + 100 * MIB);
    expect(host?.after.huge).toBeGreaterThan(100 * MIB);
  });
});

async function surplusOf(pages: number): Promise<AsyncDisposable> {
  const before = await readFile(SURPLUS, "utf8");
  await writeFile(SURPLUS, String(Number(before) + pages));
  return { [Symbol.asyncDispose]: () => writeFile(SURPLUS, before) };
}
