import { expect, test } from "vitest";
import { GIB, MIB } from "../../../scripts/lab/facts.ts";
import { RefusedError } from "../../../src/domain/change/errors.ts";
import { failure, runningDomain, type RunningScene } from "../scene.ts";

/** Why a change is refused. */
async function refusal(scene: RunningScene, mib: number): Promise<string> {
  return (await failure(scene.domain.setMemory(mib * MIB, { timeout: 1000 }), RefusedError)).message;
}

test("D6: what the guest said before the balloon moved does not count: it is asked anew, and what QEMU was told about asking is as before", async () => {
  const scene = await runningDomain();
  scene.qemu.used = 500 * MIB;
  // Figures of a time when the guest had twice as much, and used a tenth.
  const fresh = scene.qemu.answers["qom-get"];
  scene.qemu.answers["qom-get"] = (args: never) =>
    scene.qemu.words === 1 && (args as { property: string }).property === "guest-stats"
      ? { "last-update": 1_800_000_001, stats: { "stat-total-memory": 2 * GIB, "stat-available-memory": GIB - 50 * MIB } }
      : fresh?.(args);
  expect(await refusal(scene, 300)).toMatch(/memory 300MiB is below the 500MiB that the guest says it uses/);
  expect(scene.qemu.polling).toBe(5);
  expect(scene.sent()).toEqual([]);
  expect(await scene.domain.setMemory(600 * MIB)).toMatchObject({ outcome: "applied" });
});

test("a host whose clock goes an hour back or ahead is no reason to believe old figures", async () => {
  for (const hours of [-1, 1]) {
    const scene = await runningDomain();
    scene.qemu.used = 500 * MIB;
    scene.qemu.words = hours * 3600;
    expect(await refusal(scene, 300)).toMatch(/below the 500MiB/);
  }
});

test("of a balloon that moves meanwhile the larger size is taken", async () => {
  const scene = await runningDomain();
  scene.qemu.used = 500 * MIB;
  // It has shrunk by 100 MiB when its size is read after the guest's word.
  scene.qemu.after("qom-set", () => void (scene.qemu.words === 2 && scene.qemu.actual === GIB && (scene.qemu.actual -= 100 * MIB)));
  expect(await refusal(scene, 500)).toMatch(/below the 600MiB/);
});

test.each([
  ["does not answer", "query-name"],
  ["can't be asked", "qom-set"],
])("a guest that %s is given no less, unless forced", { timeout: 20_000 }, async (_, command) => {
  const scene = await runningDomain();
  scene.qemu.guestSpeaks = false;
  scene.qemu.refuses(command, "no", () => command === "qom-set");
  expect(await refusal(scene, 1000)).toMatch(/does not say how much memory it uses/);
  expect(await scene.domain.setMemory(1100 * MIB)).toMatchObject({ outcome: "applied" });
  expect(await scene.domain.setMemory(900 * MIB, { force: true })).toMatchObject({ outcome: "applied" });
});

test("a dry run asks too, and says what the change itself would say", async () => {
  const scene = await runningDomain();
  scene.qemu.used = 500 * MIB;
  await expect(scene.domain.setMemory(300 * MIB, { dryRun: true })).rejects.toThrow(/below the 500MiB/);
  expect(await scene.domain.setMemory(600 * MIB, { dryRun: true })).toMatchObject({ outcome: "planned" });
});

test("a balloon whose figure is of the boot before is taken for what it is to be: a guest that finds it empty never says so", async () => {
  const scene = await runningDomain();
  // It was made smaller, its guest rebooted, and before its driver was up it was given all again.
  scene.qemu.guestObeys = false;
  scene.qemu.actual = 600 * MIB;
  scene.qemu.target = GIB;
  const fresh = scene.qemu.answers["qom-get"];
  scene.qemu.answers["qom-get"] = (args: never) =>
    (args as { property: string }).property === "guest-stats"
      ? {
          "last-update": 1_800_000_000 + scene.qemu.words,
          stats: { "stat-total-memory": GIB - 50 * MIB, "stat-available-memory": GIB - 500 * MIB },
        }
      : fresh?.(args);
  expect(await refusal(scene, 400)).toMatch(/memory 400MiB is below the 500MiB that the guest says it uses/);
});
