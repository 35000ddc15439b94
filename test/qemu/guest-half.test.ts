import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startFakeGuest } from "../../scripts/lab/fake-guest.ts";
import { FakeQemu } from "../../scripts/lab/fake-qemu.ts";
import type { GuestWord } from "../../scripts/lab/guest.ts";
import { privateFolder, type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import type { CommandError } from "../../src/qmp/errors.ts";
import { connectAgent } from "../../src/qmp/guest-agent.ts";

const exactly = (count: number): Change => ({ resource: "guest-vcpus", count, how: "exactly" });
const online = (count: number): readonly Change[] => [
  { resource: "vcpus", count },
  { resource: "guest-vcpus", count, how: "at-least" },
];

/** A domain whose guest has a real qemu-ga, and brings up no vCPU by itself. */
async function agentScene(qemu: Qemu, ...words: readonly GuestWord[]): Promise<Scene & AsyncDisposable & { readonly path: string }> {
  const folder = await privateFolder();
  const path = join(folder.path, "agent.sock");
  const guest = { agent: path, words: ["qmpctl.online=off", ...words] as const, append: "no_timer_check" };
  const scene = await openScene(qemu, { vcpus: { max: 4, current: 1 }, guest });
  await scene.edit((config) => void (config.agent = path));
  const dispose = scene[Symbol.asyncDispose].bind(scene);
  return Object.assign(scene, { path, [Symbol.asyncDispose]: () => dispose().finally(() => folder[Symbol.asyncDispose]()) });
}

/** Resolves when the guest's agent answers. */
async function answering({ domain }: Scene): Promise<void> {
  await expect.poll(async () => (await domain.info()).guest?.vcpus, { timeout: 20_000 }).not.toBeNull();
}

async function endOf({ domain }: Scene, wanted: Change | readonly Change[], scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(wanted, { scope, timeout: 20_000 });
    return changes.map((each) => `${each.static.outcome}/${each.dynamic.outcome}`).join(" ");
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return `refused: ${[...new Set(error.report.refusals.map(({ leg }) => leg))].sort().join("+")}`;
  }
}

describe.each(await qemusInTime())("the guest's half on QEMU $version", (qemu) => {
  test("is asked of a real agent: what is plugged is brought up, and the guest alone uses fewer", async () => {
    await using scene = await agentScene(qemu);
    const { domain, console } = scene;
    const until = (cpus: number) => console.until((report) => report.cpus === cpus);
    expect(await endOf(scene, exactly(1), "current")).toBe("refused: static");
    await scene.start();
    await answering(scene);
    expect(await domain.info()).toMatchObject({ live: { vcpus: 1 }, guest: { vcpus: 1, memory: 512 * MIB } });

    // Plugged and not used, as it is in a guest without a rule for that; then brought up.
    expect(await endOf(scene, { resource: "vcpus", count: 2 }, "current")).toBe("skipped/applied");
    await expect
      .poll(() => domain.diff(), { timeout: 20_000 })
      .toContainEqual(
        expect.objectContaining({ resource: "vcpus", live: 2, guest: 1, why: expect.stringContaining("the guest uses 1 of 2") }),
      );
    expect(await endOf(scene, online(2), "dynamic")).toBe("skipped/unchanged skipped/applied");
    await until(2);
    expect(await endOf(scene, online(3), "both")).toBe("applied/applied skipped/applied");
    await until(3);
    expect([(await scene.config()).vcpus.current, await scene.vcpus()]).toEqual([3, [0, 1, 2]]);

    // The guest alone: the machine keeps what it has.
    for (const scope of ["static", "both"] as const) expect(await endOf(scene, exactly(2), scope)).toBe("refused: static");
    expect(await endOf(scene, exactly(1), "dynamic")).toBe("skipped/applied");
    await until(1);
    expect([await scene.vcpus(), await endOf(scene, exactly(4), "dynamic")]).toEqual([[0, 1, 2], "refused: dynamic"]);
    expect(await endOf(scene, exactly(3), "current")).toBe("skipped/applied");
    await until(3);

    // What is not known is not none, and takes no longer than it may.
    await domain.suspend();
    expect(await domain.info()).toMatchObject({ guest: { vcpus: null, unknown: "the guest does not run" } });
    expect(await endOf(scene, exactly(2), "current")).toBe("refused: dynamic");
    await domain.resume();
    const other = connect(scene.path);
    await once(other, "connect");
    const started = performance.now();
    expect(await domain.info()).toMatchObject({
      state: "running",
      guest: { unknown: expect.stringMatching(/another program holds its channel/) },
    });
    expect(performance.now() - started).toBeLessThan(4000);
    other.destroy();
  });
});

const newest = (await qemusInTime()).at(-1) as Qemu;

test("the fake guest says what the real one says, word for word, frozen too", async () => {
  await using scene = await agentScene(newest, "qmpctl.disk=on");
  await scene.start();
  await answering(scene);
  await scene.domain.setVcpus(2);
  const fake = new FakeQemu([1, 2, 3, 4]);
  await using guest = await startFakeGuest(fake);
  guest.offline.add(1);
  Object.assign(fake, { size: 512 * MIB });
  const ask = async (path: string): Promise<unknown> => {
    await using agent = await connectAgent(`unix:${path}`);
    const say = (name: string, args: object = {}) =>
      agent.execute(name, args).catch((error: CommandError) => [error.class, error.message] as const);
    const one = (id: number, on: boolean) => say("guest-set-vcpus", { vcpus: [{ "logical-id": id, online: on }] });
    const sorted = async (): Promise<unknown> =>
      ((await say("guest-get-vcpus")) as { "logical-id": number }[]).toSorted((a, b) => a["logical-id"] - b["logical-id"]);
    const blocks = ((await say("guest-get-memory-blocks")) as { "phys-index": number }[]).toSorted(
      (a, b) => a["phys-index"] - b["phys-index"],
    );
    await expect.poll(sorted, { timeout: 20_000 }).toHaveLength(2);
    const said = [
      await sorted(),
      await one(0, false),
      await one(9, true),
      await one(1, true),
      await sorted(),
      await one(1, false),
      await sorted(),
    ];
    const calm = [blocks, await say("guest-get-memory-block-info"), await say("guest-fsfreeze-status")];
    const frozen = [];
    const names = ["freeze", "status", "freeze", "thaw", "thaw", "status"].map((word) => `guest-fsfreeze-${word}`);
    const others = ["guest-get-vcpus", "guest-set-vcpus", "guest-get-memory-blocks", "guest-get-memory-block-info"];
    for (const name of [...names.slice(0, 3), ...others, ...names.slice(3)])
      frozen.push(await say(name, name === "guest-set-vcpus" ? { vcpus: [] } : {}));
    return [...said, ...calm, ...frozen];
  };
  expect(await ask(guest.path)).toEqual(await ask(scene.path));
});

test("a guest without an agent is unknown at once, and --online is refused before anything is plugged", async () => {
  await using scene = await agentScene(newest, "qmpctl.agent=off");
  await scene.start();
  const started = performance.now();
  expect(await scene.domain.info()).toMatchObject({ guest: { vcpus: null, unknown: "no agent runs in the guest" } });
  expect(performance.now() - started).toBeLessThan(900);
  expect(await endOf(scene, online(2), "both")).toBe("refused: dynamic");
  expect([await scene.vcpus(), (await scene.config()).vcpus.current]).toEqual([[0], 1]);
});
