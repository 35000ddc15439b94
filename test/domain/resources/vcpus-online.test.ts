import { describe, expect, test } from "vitest";
import {
  changedLines,
  configOf,
  factsOf,
  liveOf,
  planOf,
  reasonsOf,
  slotOf,
  slotsOf,
  stoppedFacts,
  textOf,
} from "../../../scripts/lab/facts.ts";
import { parseLaunchConfig } from "../../../src/config/launch.ts";
import { checkChanges } from "../../../src/domain/change/check-changes.ts";
import type { Slot } from "../../../src/domain/facts/live.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { type Change, kindOf, withValue } from "../../../src/domain/resources/registry.ts";
import { isOf, type PlugStep, type Step, type UnplugStep } from "../../../src/domain/resources/step.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";

const on = (list: string): Change => ({ resource: "vcpus-online", vcpus: list, online: list });
const off = (list: string): Change => ({ resource: "vcpus-online", vcpus: list, online: "none" });
const only = (list: string): Change => ({ resource: "vcpus-online", vcpus: "all", online: list });
const to = (count: number): Change => ({ resource: "vcpus", count });

/** The slots of a machine that has these vCPUs, of four. */
const having = (...vcpus: readonly number[]): readonly Slot[] =>
  slotsOf(4, 1).map((slot) =>
    vcpus.includes(slot.first) && slot.first > 0 ? { ...slot, plugged: true, device: `vcpu${slot.first}` } : slot,
  );
const machine = (...vcpus: readonly number[]) => factsOf({ live: liveOf({ slots: having(...vcpus) }) });
const configWith = (online: string, current: number) => configOf({ vcpus: { online, current } });

function inShort(steps: readonly { readonly step: Step }[]): readonly string[] {
  return steps.map(({ step }) => {
    if (isOf<PlugStep>("plug", step)) return `+${step.slot.first}`;
    if (isOf<UnplugStep>("unplug", step)) return `-${step.slots.map(({ slot }) => slot.first).join(",")}`;
    return step.kind;
  });
}

describe("chosen vCPUs of the config", () => {
  test("are one key more, and the count follows", () => {
    const plan = planOf(on("3"), "static");
    expect(plan).toMatchObject({ refusals: [], changes: [{ static: { before: "off", needed: true } }] });
    expect(parseLaunchConfig(plan.text ?? "", "web1.json").vcpus).toMatchObject({ current: 3, online: "0-1,3" });
  });

  test("need no key when they are those from vCPU 0 on", () => {
    const facts = stoppedFacts({ config: configWith("0,3", 2) });
    const { text } = planOf(only("0-1"), "static", facts);
    expect(changedLines(textOf(configWith("0,3", 2)), text).join()).not.toContain("online");
    expect(parseLaunchConfig(text ?? "", "web1.json").vcpus).not.toHaveProperty("online");
  });

  test("P18: a number grows by the lowest free ones and shrinks by the highest, as the running machine does", () => {
    const set = (facts: ReturnType<typeof stoppedFacts>, count: number) =>
      parseLaunchConfig(planOf(to(count), "static", facts).text ?? "", "web1.json").vcpus;
    const facts = stoppedFacts({ config: configWith("0,2-3", 3) });
    expect(set(facts, 4)).toEqual({ max: 4, current: 4, pin: {} });
    expect(set(facts, 2)).toMatchObject({ current: 2, online: "0,2" });
    expect(set(facts, 1)).toEqual({ max: 4, current: 1, pin: {} });
  });

  test.each<[string, Change, string]>([
    ["vCPU 0", off("0"), "vCPU 0 can't be taken away: a machine starts with it, and QEMU does not let it go"],
    ["one above the maximum", on("4"), "vCPU 4: out of range of the config, which has room for 4"],
    [
      "one that the maximum would lose",
      { resource: "max-vcpus", count: 3 },
      "the config starts with vCPU 3, which a maximum of 3 has no room for",
    ],
  ])("are refused: %s", (_what, change, reason) => {
    expect(reasonsOf(planOf(change, "static", stoppedFacts({ config: configWith("0,3", 2) })))).toEqual([`static: ${reason}`]);
  });

  test("are refused where the count says something else, with both", () => {
    expect(() => parseLaunchConfig(textOf(configWith("0,3", 3)), "web1.json")).toThrow(
      /vcpus\.online is "?0,3"?, expected as many vCPUs as vcpus\.current, 3, not 2/,
    );
    expect(() => parseLaunchConfig(textOf(configWith("1,3", 2)), "web1.json")).toThrow(/vCPU 0 in it/);
    expect(() => parseLaunchConfig(textOf(configWith("0,9", 2)), "web1.json")).toThrow(/vCPUs from 0 to vcpus\.max - 1, 3/);
    expect(() => parseLaunchConfig(textOf(configWith("0,^3", 2)), "web1.json")).toThrow(/a list of vCPUs/);
  });

  test("come and go by whole cores where the emulator has no others", () => {
    const config = { ...configOf({ vcpus: { max: 8, current: 4, topology: { cores: 2, threads: 4 } } }), emulator: "qemu-system-ppc64" };
    const facts = stoppedFacts({ config });
    expect(planOf(on("6"), "static", facts).refusals).toEqual([
      { leg: "static", reason: "vCPU 6: this emulator has whole cores of 4 threads only", instead: "vCPUs 4 to 7" },
    ]);
    expect(planOf(on("4-7"), "static", facts).refusals).toEqual([]);
  });
});

describe("chosen vCPUs of the running machine", () => {
  test("are plugged and unplugged, and no others", () => {
    expect(inShort(planOf(on("3"), "dynamic", machine(0, 1)).steps)).toEqual(["+3"]);
    expect(inShort(planOf(off("1"), "dynamic", machine(0, 1, 2)).steps)).toEqual(["-1"]);
    expect(inShort(planOf(off("1-3"), "dynamic", machine(0, 1, 2)).steps)).toEqual(["-2,1"]);
  });

  test("come before others go, in one change", () => {
    const { steps } = planOf(only("0,3"), "dynamic", machine(0, 1, 2));
    expect(inShort(steps)).toEqual(["+3", "-2,1"]);
    expect(steps.at(-1)?.step).toMatchObject({ from: 4, to: 2 });
  });

  test("P14: that are so already need nothing", () => {
    expect(planOf(on("1"), "dynamic", machine(0, 1))).toMatchObject({ steps: [], changes: [{ dynamic: { before: "on", needed: false } }] });
    expect(planOf(off("2-3"), "both", machine(0, 1))).toMatchObject({ steps: [], text: null });
  });

  test("P2: are refused with each half's own reason", () => {
    const facts = { ...machine(0, 1), config: configOf({ vcpus: { max: 8 } }) };
    expect(reasonsOf(planOf(on("5"), "both", facts))).toEqual([
      "dynamic: vCPU 5: out of range of the running machine, which has room for 4",
    ]);
    expect(reasonsOf(planOf(off("0"), "both", machine(0, 1)))).toHaveLength(2);
    const fixed = factsOf({ live: liveOf({ slots: [], maxVcpus: 2 }) });
    expect(planOf(on("2"), "dynamic", fixed).refusals).toEqual([
      {
        leg: "dynamic",
        reason: "this machine can't plug vCPUs while it runs",
        instead: "qmpctl setvcpu web1 2 --enable --static, then restart",
      },
    ]);
  });

  test("before the guest runs can be plugged, and none can go", () => {
    const facts = factsOf({ live: liveOf({ slots: having(0, 1), status: "prelaunch", running: false }) });
    expect(planOf(on("3"), "dynamic", facts).refusals).toEqual([]);
    expect(reasonsOf(planOf(off("1"), "dynamic", facts))).toEqual(["dynamic: the guest has not started yet, so it can't let go of a vCPU"]);
  });

  test("that the guest is to let go of can't be kept, and others can change meanwhile", () => {
    const facts = { ...machine(0, 1, 2), asked: { unplug: [2] } };
    expect(reasonsOf(planOf(on("2"), "dynamic", facts))).toEqual([
      "dynamic: the guest was asked to let go of vCPU 2 and has not done it yet; QEMU can't take that back",
    ]);
    expect(inShort(planOf(on("3"), "dynamic", facts).steps)).toEqual(["+3"]);
    expect(inShort(planOf(off("2"), "dynamic", facts).steps)).toEqual(["-2"]);
  });

  test("go and come by whole cores", () => {
    const facts = factsOf({ config: configOf({ vcpus: { max: 16, current: 8 } }), live: liveOf({ slots: slotsOf(16, 8, 4) }) });
    expect(inShort(planOf(on("8-11"), "dynamic", facts).steps)).toEqual(["+8"]);
    expect(reasonsOf(planOf(on("9"), "dynamic", facts))).toEqual([
      "dynamic: vCPUs 8 to 11 are one core of this machine, which comes and goes as a whole",
    ]);
    expect(reasonsOf(planOf(off("4,6"), "dynamic", facts))).toEqual([
      "dynamic: vCPUs 4 to 7 are one core of this machine, which comes and goes as a whole",
    ]);
  });

  test.each([
    [5, 1],
    [7, 1],
    [10, 0],
    [11, 0],
  ])("with a gap below hang the guest of QEMU %i under software emulation", (major, count) => {
    const live = liveOf({ slots: having(0, 1, 2), tcg: true, version: { major, text: `${major}.2.0` } });
    const hangs = (reason: string): boolean => /the first missing vCPU, so a guest hangs with vCPU \d and without vCPU/.test(reason);
    const plan = planOf(off("1"), "dynamic", factsOf({ live }));
    expect(plan.refusals.filter(({ reason }) => hangs(reason))).toHaveLength(count);
    // At its boot too, so the config is not to have it, force or not.
    const atStart = planOf(on("3"), "static", factsOf({ live, config: configOf({ vcpus: { current: 1 } }) }), true);
    expect(atStart.refusals.filter(({ reason }) => hangs(reason))).toHaveLength(count);
    expect(planOf(off("1"), "dynamic", factsOf({ live }), true).refusals).toEqual([]);
    const others = live.slots.map((slot) => ({ ...slot, type: "qemu-s390x-cpu" }));
    expect(
      planOf(off("1"), "dynamic", factsOf({ live: { ...live, slots: others } })).refusals.filter(({ reason }) => hangs(reason)),
    ).toEqual([]);
    expect(planOf(off("1"), "dynamic", factsOf({ live: { ...live, tcg: false } })).refusals).toEqual([]);
  });

  test("that were unplugged before are plugged again only where QEMU survives it", () => {
    const slots = [slotOf(0, { plugged: true }), slotOf(1, { ejected: true }), slotOf(2), slotOf(3)];
    const live = liveOf({ slots, tcg: true, version: { major: 7, text: "7.2.22" } });
    expect(reasonsOf(planOf(on("1"), "dynamic", factsOf({ live }))).join()).toMatch(/dies when vCPU 1/);
  });
});

describe("both ways of saying which vCPUs there are", () => {
  test("are not taken together", () => {
    expect(() => checkChanges([to(2), on("3")])).toThrow(UsageError);
    expect(() => checkChanges([on("2-3"), off("3")])).toThrow("vCPU 3: asked for twice");
    expect(() => checkChanges([on("2"), off("3")])).not.toThrow();
    expect(() => checkChanges([only("0,2"), off("3")])).toThrow(UsageError);
  });

  test("are one change in an allocation file where they agree", () => {
    expect(changesOf({ vcpus: { current: 2, online: "0,3" } })).toEqual([only("0,3")]);
    expect(() => checkChanges(changesOf({ vcpus: { current: 3, online: "0,3" } }))).toThrow(UsageError);
  });

  test.each(["", "x", "3-1", "9999", "^1", "1,,2"])("take no list %o", (list) => {
    expect(() => checkChanges([on(list)])).toThrow(UsageError);
  });

  test("a set of two chosen ones changes both halves once each", () => {
    const plan = planOf([on("3"), off("1")], "both", machine(0, 1));
    expect(inShort(plan.steps)).toEqual(["+3", "-1"]);
    expect(parseLaunchConfig(plan.text ?? "", "web1.json").vcpus).toMatchObject({ current: 2, online: "0,3" });
  });
});

describe("vCPUs with a gap", () => {
  test("P22: are a row of diff, and made equal in both ways; a number does not do that", () => {
    const facts = { ...machine(0, 1, 2), config: configWith("0,3", 2) };
    expect(diffOf(facts).find(({ resource }) => resource === "vcpus-online")).toMatchObject({ config: "0,3", live: "0-2" });
    expect(changesToRevert(facts)).toContainEqual(only("0,3"));
    expect(changesToPersist(facts)).toContainEqual(only("0-2"));
    expect([...changesToRevert(facts), ...changesToPersist(facts)].filter(({ resource }) => resource === "vcpus")).toEqual([]);
  });

  test("are no row where there are none", () => {
    expect(diffOf(machine(0, 1)).filter(({ resource }) => resource === "vcpus-online")).toEqual([]);
  });

  test("that a running machine has no room for wait for the next start", () => {
    const facts = { ...machine(0, 1), config: configOf({ vcpus: { max: 8, online: "0,7", current: 2 } }) };
    expect(diffOf(facts).find(({ resource }) => resource === "vcpus-online")).toMatchObject({ why: "waits for the next start" });
    expect(changesToRevert(facts).filter(({ resource }) => resource.startsWith("vcpus"))).toEqual([]);
  });

  test("of before come back by their numbers, whichever change it was", () => {
    const facts = machine(0, 3);
    const back = kindOf(to(3)).back?.(to(3), facts) ?? null;
    expect(back).toBe("0,3");
    expect(withValue(to(3), "0,3")).toEqual(only("0,3"));
    expect(kindOf(to(3)).back?.(to(3), machine(0, 1))).toBe(2);
    const change = on("2-3");
    expect(["on", "off", "2"].map((value) => kindOf(change).command(withValue(change, value), "web1"))).toEqual([
      "setvcpu web1 2-3 --enable",
      "setvcpu web1 2-3 --disable",
      "setvcpu web1 2 --only --among 2-3",
    ]);
  });
});
