import { describe, expect, test } from "vitest";
import { type FakeRig, openFake } from "../../../scripts/faults/fake-rig.ts";
import { Command } from "../../../scripts/faults/rig.ts";

/** Kills the command line in the middle of `setvcpus 3 --online`: the machine has its vCPUs, and the guest's kernel has not found them. */
async function killedMidway(rig: FakeRig): Promise<void> {
  for (const vcpu of [1, 2]) rig.guest.unseen.add(vcpu);
  const command = new Command(rig, ["setvcpus", "web", "3", "--online", "--both"]);
  const asked = (): number => rig.guest.agent.said.filter((it) => it.command === "guest-get-vcpus").length;
  // Once for the plan; the second time is the step.
  await expect.poll(asked, { timeout: 20_000 }).toBeGreaterThan(1);
  command.kill("SIGKILL");
  await command.ended;
  rig.guest.unseen.clear();
}

async function run(rig: FakeRig, ...words: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const { code, stdout, stderr } = await new Command(rig, words).ended;
  return { code, text: stdout + stderr };
}

describe("P8: setvcpus --online that was killed while the guest was asked", () => {
  test("is noticed, and undone: nothing is left plugged", async () => {
    await using rig = await openFake();
    await killedMidway(rig);
    expect(await run(rig, "setvcpus", "web", "2")).toMatchObject({ code: 3, text: expect.stringContaining("guest-vcpus to 3") as string });
    expect(await run(rig, "recover", "web", "--undo")).toMatchObject({ code: 0 });
    expect([[...rig.qemu.plugged.keys()], (await rig.domain.config()).includes('"current": 1,')]).toEqual([[0], true]);
  });

  test("is finished: the guest uses what is plugged", async () => {
    await using rig = await openFake();
    await killedMidway(rig);
    for (const vcpu of [1, 2]) rig.guest.offline.add(vcpu);
    expect(await run(rig, "recover", "web", "--finish")).toMatchObject({ code: 0 });
    expect([[...rig.qemu.plugged.keys()], [...rig.guest.offline]]).toEqual([[0, 1, 2], []]);
    expect((await rig.domain.config()).includes('"current": 3')).toBe(true);
  });
});
