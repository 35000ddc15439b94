import { describe, expect, onTestFinished, test } from "vitest";
import { configOf, factsOf, liveOf, MIB, planOf, reasonsOf } from "../../../scripts/lab/facts.ts";
import { type FakeGuest, startFakeGuest } from "../../../scripts/lab/fake-guest.ts";
import { checkChanges } from "../../../src/domain/change/check-changes.ts";
import { ChangeError, RefusedError } from "../../../src/domain/change/errors.ts";
import type { GuestVcpu, GuestWord } from "../../../src/domain/facts/guest-half.ts";
import { missing } from "../../../src/domain/resources/guest-vcpus-step.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { diffOf } from "../../../src/domain/views/diff.ts";
import { startAgent } from "../../../src/testing/index.ts";
import { definedDomain, failure, runningDomain, type RunningScene } from "../scene.ts";

const exactly = (count: number): Change => ({ resource: "guest-vcpus", count, how: "exactly" });
const online = (count: number): readonly Change[] => [
  { resource: "vcpus", count },
  { resource: "guest-vcpus", count, how: "at-least" },
];
const vcpu = (id: number, on = true): GuestVcpu => ({ id, online: on, fixed: id === 0 });
const guestOf = (...vcpus: readonly GuestVcpu[]): GuestWord => ({ vcpus, memory: 1024 * MIB });
const facts = (guest: GuestWord | undefined) =>
  factsOf({ config: { ...configOf(), agent: "/run/a.sock" }, live: liveOf(guest === undefined ? {} : { guest }) });

/** A running domain with two vCPUs and a guest that has an agent. */
async function agentDomain(): Promise<RunningScene & { readonly guest: FakeGuest }> {
  const path = `/tmp/qmpctl-agent-${process.pid}-${Math.random().toString(36).slice(2)}.sock`;
  const running = await runningDomain({ scene: await definedDomain({ ...configOf(), agent: path }) });
  const guest = await startFakeGuest(running.qemu, `unix:${path}`);
  onTestFinished(() => guest[Symbol.asyncDispose]());
  return { ...running, guest };
}

describe("what is asked of a guest", () => {
  const vcpus = [vcpu(0), vcpu(1, false), vcpu(2), vcpu(3, false)];
  test.each<[string, Parameters<typeof missing>[0], readonly string[]]>([
    ["the lowest to be brought up", { count: 3, how: "at-least" }, ["+1"]],
    ["nothing, where it has more", { count: 1, how: "at-least" }, []],
    ["the highest to be taken offline", { count: 1, how: "exactly" }, ["-2"]],
    ["never one that it can't take offline", { count: 0, how: "exactly" }, ["-2"]],
    ["those of before", { ids: [0, 1] }, ["+1", "-2"]],
  ])("is %s", (_what, wanted, asked) => {
    expect(missing(wanted, vcpus).map((each) => `${each.online ? "+" : "-"}${each["logical-id"]}`)).toEqual(asked);
  });
});

describe("vCPUs of the guest are refused", () => {
  test.each<[string, GuestWord | undefined, Change, RegExp]>([
    ["without an agent", undefined, exactly(1), /the config names no guest agent/],
    ["of a silent one", { unknown: "the guest agent does not answer" }, exactly(1), /nothing is known of the guest: the guest agent does/],
    ["above what it has", guestOf(vcpu(0), vcpu(1)), exactly(3), /the guest has 2 vCPUs, so 3 can't be online in it/],
    ["below those that stay", guestOf(vcpu(0), { ...vcpu(1), fixed: true }), exactly(1), /says of its vCPU 0, 1 that it can't be taken/],
  ])("%s", (_what, guest, change, reason) => {
    expect(reasonsOf(planOf(change, "dynamic", facts(guest)))).toEqual([expect.stringMatching(reason)]);
  });

  test("above the room of the machine: then the advice is no more than that", () => {
    const advice = (count: number) => planOf(exactly(count), "dynamic", facts(guestOf(vcpu(0), vcpu(1)))).refusals.map((it) => it.instead);
    expect(advice(3)).toEqual([expect.stringMatching(/^qmpctl setvcpus web1 3 --online/)]);
    expect(advice(9)).toEqual([expect.stringMatching(/^at most 4,.* qmpctl setvcpus web1 4 --online/)]);
  });

  test("in the config, with the rule of udev that does it in the guest", () => {
    const { refusals } = planOf(exactly(1), "both", facts(guestOf(vcpu(0), vcpu(1))));
    expect(refusals).toMatchObject([{ leg: "static", reason: /forgets it when it reboots/, instead: /ATTR\{online\}="1"/ }].map(matching));
  });

  test("together with which vCPUs the machine has", () => {
    expect(() => checkChanges([exactly(1), { resource: "vcpus", count: 2 }])).toThrow("one after the other");
    expect(() => checkChanges(online(2))).not.toThrow();
  });
});

const matching = (refusal: { leg: string; reason: RegExp; instead: RegExp }) => ({
  leg: refusal.leg,
  reason: expect.stringMatching(refusal.reason) as string,
  instead: expect.stringMatching(refusal.instead) as string,
});

test("--online is no part of the config, so a set of both halves leaves it out there", () => {
  const plan = planOf(online(3), "both", facts(guestOf(vcpu(0), vcpu(1))));
  expect(plan).toMatchObject({ refusals: [], changes: [{ static: { needed: true } }, { static: null, dynamic: { needed: true } }] });
  expect(plan.steps.map(({ step }) => step.kind)).toEqual(["plug", "guest-vcpus"]);
});

test("diff has the guest's own number, or says that nothing is known of it, and never that there is none", () => {
  const row = (guest: GuestWord) => diffOf(facts(guest)).find(({ resource }) => resource === "vcpus");
  expect(row(guestOf(vcpu(0), vcpu(1, false)))).toMatchObject({ guest: 1, why: expect.stringContaining("uses 1 of 2") as string });
  expect(row(guestOf(vcpu(0), vcpu(1)))).toEqual({ resource: "vcpus", config: 2, live: 2, guest: 2, why: null });
  expect(row({ unknown: "no agent runs in the guest" })).toMatchObject({ guest: null, guestUnknown: "no agent runs in the guest" });
});

describe("a guest with an agent", () => {
  test("is asked by info and diff", async () => {
    const { domain, guest, qemu } = await agentDomain();
    guest.offline.add(1);
    expect(await domain.info()).toMatchObject({ guest: { vcpus: 1, memory: qemu.size } });
    expect(await domain.diff()).toContainEqual(expect.objectContaining({ resource: "vcpus", live: 2, guest: 1 }));
  });

  test.each<[string, (scene: Awaited<ReturnType<typeof agentDomain>>) => void, RegExp]>([
    ["frozen", ({ guest }) => void (guest.frozen = true), /frozen/],
    ["paused", ({ qemu }) => void (qemu.status = "paused"), /does not run/],
    ["without an agent that runs", ({ qemu }) => closed(qemu), /no agent runs/],
    ["behind another path", ({ qemu }) => void (qemu.answers["query-chardev"] = () => []), /QEMU has no channel at/],
  ])("is unknown when it is %s", async (_what, act, why) => {
    const scene = await agentDomain();
    act(scene);
    expect(await scene.domain.info()).toMatchObject({ guest: { vcpus: null, unknown: expect.stringMatching(why) as string } });
    const error = await failure(scene.domain.change(exactly(1)), RefusedError);
    expect(error.report.refusals[0]?.reason).toMatch(why);
  });

  test.each<[string, unknown]>([
    ["no vCPU", []],
    ["no list", { vcpus: 2 }],
    ["words for numbers", [{ "logical-id": "x", online: true }]],
    [
      "one vCPU twice",
      [
        { "logical-id": 0, online: true },
        { "logical-id": 0, online: false },
      ],
    ],
    ["nothing in a list", [null]],
  ])("that answers nonsense is unknown: %s", async (_what, answer) => {
    const path = `/tmp/qmpctl-agent-${process.pid}-${Math.random().toString(36).slice(2)}.sock`;
    const { domain, qemu } = await runningDomain({ scene: await definedDomain({ ...configOf(), agent: path }) });
    await using _agent = await startAgent({ address: `unix:${path}`, answers: { "guest-get-vcpus": () => answer } });
    qemu.answers["query-chardev"] = () => [{ label: "a", filename: `disconnected:unix:${path},server=on`, "frontend-open": true }];
    expect((await domain.info()).guest).toEqual({
      vcpus: null,
      memory: null,
      unknown: expect.stringContaining("makes no sense") as string,
    });
  });

  test("uses fewer of its vCPUs, and all of them again", async () => {
    const { domain, guest, sent } = await agentDomain();
    expect(await domain.change(exactly(1))).toMatchObject({
      outcome: "applied",
      changes: [{ dynamic: { before: 2, wanted: 1, actual: 1 } }],
    });
    expect([...guest.offline]).toEqual([1]);
    expect(await domain.change(online(2))).toMatchObject({
      outcome: "applied",
      changes: [{ dynamic: { outcome: "unchanged" } }, { dynamic: { actual: 2 } }],
    });
    expect([[...guest.offline], sent()]).toEqual([[], []]);
  });

  test("brings up what was plugged, in one change; one that does so by itself is no error", async () => {
    const { domain, guest, qemu } = await agentDomain();
    qemu.after("device_add", () => guest.offline.add(2));
    expect(await domain.change(online(3), { scope: "both" })).toMatchObject({ outcome: "applied" });
    expect([[...guest.offline], [...qemu.plugged.keys()]]).toEqual([[], [0, 1, 2]]);
    expect(await domain.change(online(4))).toMatchObject({
      outcome: "applied",
      changes: [{ dynamic: { actual: 4 } }, { dynamic: { actual: 4 } }],
    });
  });

  test("is pending where its kernel has not found the vCPU by the deadline", async () => {
    const { domain, guest } = await agentDomain();
    guest.unseen.add(2);
    expect(await domain.change(online(3), { timeout: 2500 })).toMatchObject({
      outcome: "pending",
      changes: [
        { dynamic: { outcome: "applied" } },
        { dynamic: { outcome: "pending", reason: expect.stringMatching(/2 vCPUs online/) as string } },
      ],
    });
  });

  test("P10: that refuses takes back what was plugged for it", async () => {
    const { domain, guest, qemu, text } = await agentDomain();
    const before = await text();
    qemu.after("device_add", () => void (guest.frozen = true));
    const error = await failure(domain.change(online(3), { scope: "both" }), ChangeError);
    expect(error.message).toMatch(/frozen/);
    expect([[...qemu.plugged.keys()], await text()]).toEqual([[0, 1], before]);
  });
});

function closed(qemu: RunningScene["qemu"]): void {
  const open = qemu.answers["query-chardev"] as () => readonly object[];
  qemu.answers["query-chardev"] = () => open().map((each) => ({ ...each, "frontend-open": false }));
}
