/// <reference lib="esnext.disposable" />
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { getuid } from "node:process";
import { describe, expect, test } from "vitest";
import { qemus } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";

const found = await qemus();
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

describe("the host gets less than the guest gave up", () => {
  test("of memory that the guest never touched; of what it touched, it gets that", async () => {
    await using scene = await openScene(newest);
    await scene.start();
    const first = await scene.cli("setmem", "web", "400M");
    expect(first.stdout).toMatch(
      /^host: .* freed, of the 112MiB given up: before, the host held \d+MiB for QEMU, and the guest had 512MiB/m,
    );
    expect(first.code).toBe(0);
    await scene.domain.setMemory(512 * MIB);
    const untouched = await rssOf(scene);
    await scene.console.tell("hold 24");
    expect(await rssOf(scene)).toBeGreaterThan(untouched + 20 * MIB);
  });

  test("of locked memory", async () => {
    await using scene = await openScene(newest, { args: ["-overcommit", "mem-lock=on"] });
    await scene.start();
    const { host } = await scene.domain.setMemory(300 * MIB);
    expect(host).toMatchObject({ givenUp: 212 * MIB, why: [expect.stringMatching(/^\d+MiB are locked \(VmLck\)/)] });
    expect(host?.freed).toBeLessThan(8 * MIB);
    expect(host?.after.locked).toBeGreaterThan(512 * MIB);
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
