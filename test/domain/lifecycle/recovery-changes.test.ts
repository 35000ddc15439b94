import { describe, expect, test } from "vitest";
import { configOf, factsOf, iothreadOf, liveOf, planOf, slotOf, slotsOf, vcpuOf } from "../../../scripts/lab/facts.ts";
import { recordOf } from "../../../src/domain/change/journal.ts";
import type { Journal } from "../../../src/domain/change/record.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import { changesToFinish, changesToUndo } from "../../../src/domain/lifecycle/recovery-changes.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";

/** The record of changes of a machine, as it is found when their writer has died. */
function journalOf(changes: readonly Change[], facts: LiveFacts): Journal {
  const head = { writer: 1, started: null, boot: "b", since: "s", of: null, machine: null };
  return { ...head, ...recordOf("dynamic", planOf(changes, "dynamic", facts), facts, null) };
}

const IO1: Change = { resource: "iothread", iothread: "io1", state: "present" };
const config = {
  ...configOf(),
  threads: { iothreads: { io1: "1" }, iothreadsSched: { io1: "idle" } },
  vcpus: { ...configOf().vcpus, pin: { 2: "3" }, sched: { 2: "batch" } },
};
/** With vCPU 2, which runs on all CPUs. */
const grown = { slots: slotsOf(4, 3), vcpus: [0, 1, 2].map((index) => vcpuOf(index, "0-3")) };
const policies = (...names: readonly string[]) => ({
  scheduling: { vcpus: new Map(names.entries()), main: "other", rights: { highest: 99, leavesIdle: true } },
});

describe("to finish a change", () => {
  test("gives a new iothread and a new vCPU what the config has for them, if they have not got it yet", () => {
    const journal = journalOf([IO1, { resource: "vcpus", count: 3 }], factsOf({ config }));
    expect(journal.brings).toEqual(["io1", 2]);
    const live = liveOf({ ...grown, iothreads: [iothreadOf("io1", { policy: "idle" })], ...policies("other", "other", "other") });
    expect(changesToFinish(journal)(factsOf({ config, live }), "dynamic")).toEqual([
      IO1,
      { resource: "vcpus", count: 3 },
      { resource: "iothread-pin", iothread: "io1", cpus: "1" },
      { resource: "vcpu-pin", vcpu: 2, cpus: "3" },
      { resource: "vcpu-sched", vcpu: 2, policy: "batch" },
    ]);
  });

  test("leaves alone what did not come, what the change itself is about, and threads that were there before", () => {
    const pin: Change = { resource: "iothread-pin", iothread: "io1", cpus: "0" };
    const journal = journalOf([IO1, pin], factsOf({ config }));
    expect(changesToFinish(journal)(factsOf({ config }), "dynamic")).toEqual([IO1, pin]);
    const there = liveOf({ ...grown, iothreads: [iothreadOf("io1")], ...policies("other", "other", "other") });
    expect(changesToFinish(journal)(factsOf({ config, live: there }), "dynamic")).toEqual([
      IO1,
      pin,
      { resource: "iothread-sched", iothread: "io1", policy: "idle" },
    ]);
  });

  test("asks for the changes alone where none brings a thread", () => {
    const size: Change = { resource: "memory", size: 2 ** 29 };
    expect(changesToFinish(journalOf([size], factsOf({ config })))(factsOf({ config }), "dynamic")).toEqual([size]);
  });
});

describe("to undo a change", () => {
  const io1 = iothreadOf("io1", { affinity: "2", policy: "batch", settings: { "poll-max-ns": 5000 } });

  test("gives an iothread that comes back its mask, policy and settings of before, whatever the config has", () => {
    const journal = journalOf([{ ...IO1, state: "absent" }], factsOf({ config, live: liveOf({ iothreads: [io1] }) }));
    const had: readonly Change[] = [
      { resource: "iothread-pin", iothread: "io1", cpus: "2" },
      { resource: "iothread-sched", iothread: "io1", policy: "batch" },
      { resource: "iothread-set", iothread: "io1", settings: "poll-max-ns=5000" },
    ];
    const undone = (live: LiveFacts["live"]) => changesToUndo(journal)?.(factsOf({ config, live }), "dynamic");
    expect(undone(liveOf())).toEqual([IO1, ...had]);
    // It came back before, and its mask with it.
    expect(undone(liveOf({ iothreads: [iothreadOf("io1", { affinity: "2", settings: { "poll-max-ns": 5000 } })] }))).toEqual([IO1, had[1]]);
    expect(undone(liveOf({ iothreads: [io1] }))).toEqual([IO1]);
  });

  test("gives a vCPU that comes back its mask and policy of before, and leaves out one that stays away", () => {
    const before = liveOf({
      slots: [slotOf(0, { plugged: true }), slotOf(1, { plugged: true }), slotOf(2), slotOf(3, { plugged: true })],
      vcpus: [vcpuOf(0, "0-3"), vcpuOf(1, "1"), vcpuOf(3, "3")],
      scheduling: { ...policies().scheduling, vcpus: new Map([0, 1, 3].map((vcpu) => [vcpu, vcpu === 1 ? "idle" : "other"])) },
    });
    const journal = journalOf([{ resource: "vcpus-online", vcpus: "1", online: "none" }], factsOf({ live: before }));
    // vCPU 3 has been taken by somebody else since.
    const now = liveOf({ slots: slotsOf(4, 1), vcpus: [vcpuOf(0, "0-3")], ...policies("other") });
    expect(changesToUndo(journal)?.(factsOf({ live: now }), "dynamic")).toEqual([
      { resource: "vcpus-online", vcpus: "1", online: "1" },
      { resource: "vcpu-pin", vcpu: 1, cpus: "1" },
      { resource: "vcpu-sched", vcpu: 1, policy: "idle" },
    ]);
  });

  test("is nothing where no value of before is known", () => {
    expect(changesToUndo(journalOf([{ resource: "iothread-pin", iothread: "io7", cpus: "0" }], factsOf()))).toBeNull();
  });
});

describe("threads that a change treats as one", () => {
  const own = [
    { tid: 4000, affinity: "0-3", policy: "other" },
    { tid: 4007, affinity: "2", policy: "idle" },
  ];
  const vhost = [
    { tid: 4200, affinity: "0" },
    { tid: 4201, affinity: "1-3" },
  ];
  const live = liveOf({ ownThreads: own, vhost, scheduling: { ...policies("other", "other").scheduling } });
  const CASES: readonly (readonly [Change, object])[] = [
    [
      { resource: "emulator-pin", cpus: "1" },
      { before: own.map(({ tid, affinity }) => ({ tid, cpus: affinity })), isBack: true },
    ],
    [
      { resource: "emulator-sched", policy: "batch" },
      { before: own.map(({ tid, policy }) => ({ tid, policy })), isBack: true },
    ],
    [
      { resource: "vhost-pin", cpus: "1" },
      { before: { 4200: "0", 4201: "1-3" }, isBack: true },
    ],
  ];

  test.each(CASES)("%o: each goes back to what it had, though the first one has it already", (change, step) => {
    const journal = journalOf([change], factsOf({ live }));
    const now = liveOf({
      ...live,
      ownThreads: own.map((thread) => ({ ...thread, affinity: "0-3", policy: "other" })),
      vhost: vhost.map((thread) => ({ ...thread, affinity: "0" })),
    });
    const facts = { ...factsOf({ live: now }), threadsBefore: journal.own };
    const back = changesToUndo(journal)?.(facts, "dynamic") ?? [];
    expect(planOf(back, "dynamic", facts)).toMatchObject({ refusals: [], steps: [{ step }] });
    const done = { ...factsOf({ live }), threadsBefore: journal.own };
    expect(planOf(back, "dynamic", done)).toMatchObject({ refusals: [], steps: [] });
  });
});
