import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { openGuests } from "../../scripts/lab/guests.ts";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { balance } from "../../src/domain/balance/balance.ts";

const MIB = 2 ** 20;

// Loads that move from one guest to another: npx tsx scripts/balance.ts.
describe.each(await qemusInTime(1))("balance on QEMU $version", (qemu) => {
  test("takes memory of an idle guest, gives it to one that has too little, and puts back how often guests are asked", async () => {
    await using guests = await openGuests(qemu, ["poor", "idle"] as const, { max: "512MiB", current: "320MiB", min: "160MiB", period: 60 });
    await guests.start();
    const { poor, idle } = guests.of;
    const small = 320 * MIB;
    await Promise.all([poor, idle].map(({ console }) => console.until(({ memTotal }) => memTotal < small)));
    // It is to have more at least than it has now.
    const tight = 200 * MIB;
    expect(await poor.domain.setMemory(tight, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
    const path = poor.domain.configPath ?? "";
    const config = JSON.parse(await readFile(path, "utf8")) as { readonly memory: object };
    await writeFile(path, JSON.stringify({ ...config, memory: { ...config.memory, min: "280MiB" } }));

    // The two together may have no more than they have.
    const stop = new AbortController();
    const moved: string[] = [];
    const limits = { every: 1000, atMost: tight + small, keepFree: 1, timeout: 20_000, signal: stop.signal };
    const notes: string[] = [];
    for await (const round of balance([poor.domain, idle.domain], { ...guests.options, ...limits })) {
      notes.push(...round.notes);
      for (const { domain, kind, outcome, report } of round.moves) {
        moved.push(`${domain} ${kind} ${outcome}`);
        expect(report).toMatchObject({ scope: "dynamic", changes: [{ static: { outcome: "skipped" } }] });
      }
      if (moved.includes("poor grow applied")) stop.abort();
    }
    expect(moved).toEqual(expect.arrayContaining(["idle shrink applied", "poor grow applied"]));
    expect(notes.toSorted()).toEqual(
      ["idle", "poor"].map((name) => `${name}: QEMU asks its guest every 1 s meanwhile; before: every 60 s`),
    );

    const [first, second] = await Promise.all([poor, idle].map(({ domain }) => domain.memory()));
    expect(first?.balloon?.actual).toBeGreaterThan(tight);
    expect((first?.balloon?.actual ?? 0) + (second?.balloon?.actual ?? 0)).toBeLessThanOrEqual(tight + small);
    expect([first?.guest?.period, second?.guest?.period]).toEqual([60, 60]);
  });
});
