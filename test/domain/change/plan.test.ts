import { describe, expect, test } from "vitest";
import { configOf, factsOf, GIB, liveOf, MIB, planOf, reasonsOf, slotsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { fractionsFrom } from "../../../scripts/lab/fractions.ts";
import { parseLaunchConfig } from "../../../src/config/launch.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { UsageError } from "../../../src/errors.ts";
import { pick } from "../../config/random-json.ts";

const memory = (mib: number): Change => ({ resource: "memory", size: mib * MIB });
const maxMemory = (mib: number): Change => ({ resource: "max-memory", size: mib * MIB });
const vcpus = (count: number): Change => ({ resource: "vcpus", count });
const maxVcpus = (count: number): Change => ({ resource: "max-vcpus", count });
const pin = (vcpu: number, cpus: string): Change => ({ resource: "vcpu-pin", vcpu, cpus });

describe("a refusal", () => {
  test("P2: names every reason of both halves at once, and plans nothing", () => {
    const plan = planOf([memory(4096), vcpus(9), pin(7, "77")], "both");
    expect(reasonsOf(plan)).toEqual([
      "static: memory 4GiB is above memory.max 2GiB of the config",
      "static: 9 vCPUs are more than vcpus.max 4 of the config",
      "static: vCPU 7 is out of range of the config, which has room for 4",
      "static: this host has no CPU 77",
      "dynamic: memory 4GiB is above the 2GiB that the machine was started with",
      "dynamic: 9 vCPUs are more than the 4 that the running machine has room for",
      "dynamic: vCPU 7 is out of range of the running machine, which has room for 4",
    ]);
    expect(plan).toMatchObject({ steps: [], text: null });
  });

  test("of the live half alone leaves no text to be written by mistake unseen", () => {
    const plan = planOf(
      memory(1536),
      "both",
      factsOf({ live: liveOf({ memory: { size: GIB, actual: GIB, balloon: "/b", guest: null } }) }),
    );
    expect(plan.refusals.map(({ leg }) => leg)).toEqual(["dynamic"]);
    expect(plan.steps).toEqual([]);
  });

  test("of a config that has another name besides says so, where it would be written", () => {
    const why =
      "static: the config has another name besides /etc/qmpctl/web1.json (a hard link), which a change would leave with the old text";
    const linked = (changes: Change, scope: "static" | "dynamic" | "both") => planOf(changes, scope, factsOf(), false, 2);
    expect(linked(memory(300), "static").refusals).toEqual([
      {
        leg: "static",
        reason: why.replace("static: ", ""),
        instead: "remove the other name, or make it a symbolic link in the same folder",
      },
    ]);
    expect(reasonsOf(linked(memory(300), "both"))).toEqual([why]);
    expect(linked(memory(300), "both").text).toBeNull();
    // Nothing is written where it is so already, or where only the running machine is meant.
    expect(reasonsOf(linked(memory(1024), "static"))).toEqual([]);
    expect(reasonsOf(linked(memory(300), "dynamic"))).toEqual([]);
    expect(reasonsOf(planOf(memory(300), "static", factsOf(), false, 1))).toEqual([]);
  });

  test("of a transient machine's config comes beside the reasons of its live half", () => {
    expect(reasonsOf(planOf(vcpus(9), "both", factsOf({ config: null })))).toEqual([
      "static: a transient machine has no config to change",
      "dynamic: 9 vCPUs are more than the 4 that the running machine has room for",
    ]);
  });
});

describe("a set of changes", () => {
  test("may raise a maximum and use it", () => {
    const plan = planOf([vcpus(6), memory(3072), maxVcpus(8), maxMemory(4096), pin(7, "0")], "static");
    expect(plan.refusals).toEqual([]);
    expect(parseLaunchConfig(plan.text ?? "", "web1.json")).toMatchObject({
      memory: { max: 4 * GIB, current: 3 * GIB },
      vcpus: { max: 8, current: 6, pin: { "7": "0" } },
    });
  });

  test("may lower what is used and its maximum", () => {
    const config = configOf({ vcpus: { max: 4, current: 4, pin: { "3": "0" } } });
    const plan = planOf([maxVcpus(2), vcpus(2), pin(3, "all"), maxMemory(512), memory(512)], "static", stoppedFacts({ config }));
    expect(plan.refusals).toEqual([]);
    expect(parseLaunchConfig(plan.text ?? "", "web1.json")).toMatchObject({
      memory: { max: 512 * MIB, current: 512 * MIB },
      vcpus: { max: 2, current: 2, pin: {} },
    });
  });

  test("has memory that is asked for by name outrank memory that follows its maximum", () => {
    const facts = stoppedFacts({ config: configOf({ memory: { max: GIB, current: GIB }, args: [] }) });
    for (const set of [
      [maxMemory(2048), memory(1024)],
      [memory(1024), maxMemory(2048)],
    ]) {
      expect(reasonsOf(planOf(set, "static", facts))).toEqual([
        "static: memory 1GiB below memory.max 2GiB needs a balloon device, and the config has none",
      ]);
    }
    expect(planOf([memory(2048), maxMemory(2048)], "static", facts)).toMatchObject({
      refusals: [],
      changes: [{ static: { before: GIB } }, { static: { before: GIB } }],
    });
  });

  test("plugs first, then pins, and asks the guest last, so that it can do all in its own time", () => {
    const facts = factsOf({ config: configOf({ vcpus: { pin: { "2": "1" } } }) });
    const kinds = (set: readonly Change[]): readonly string[] =>
      planOf(set, "dynamic", facts).steps.map(({ step, change }) => `${step.kind} of change ${change}`);
    expect(kinds([memory(512), pin(0, "0"), vcpus(4)])).toEqual([
      "plug of change 2",
      "pin of change 2",
      "plug of change 2",
      "pin of change 1",
      "balloon of change 0",
    ]);
    expect(kinds([vcpus(1), memory(512), pin(0, "0")])).toEqual(["pin of change 2", "balloon of change 1", "unplug of change 0"]);
  });

  test("can't ask for one thing twice", () => {
    expect(() => planOf([vcpus(3), memory(512), vcpus(4)], "dynamic")).toThrow(UsageError);
    expect(() => planOf([pin(1, "0"), pin(1, "1")], "static")).toThrow("vcpu-pin 1: asked for twice in one set of changes");
    expect(planOf([pin(0, "0"), pin(1, "1")], "static").refusals).toEqual([]);
  });

  test("may be empty", () => {
    expect(planOf([], "both")).toEqual({
      halves: { static: true, dynamic: true, refusals: [] },
      changes: [],
      steps: [],
      text: null,
      refusals: [],
    });
  });
});

describe("whatever is asked for", () => {
  const SETS = 400;
  const set = (random: () => number): readonly Change[] => {
    const all = [
      memory(pick(random, [256, 512, 1024, 2048, 4096])),
      maxMemory(pick(random, [512, 2048, 4096])),
      vcpus(pick(random, [1, 2, 3, 4, 6])),
      maxVcpus(pick(random, [1, 2, 4, 8])),
      pin(pick(random, [0, 1, 3, 7]), pick(random, ["all", "0", "1-3", "5"])),
    ];
    return all.filter(() => random() < 0.5).toSorted(() => random() - 0.5);
  };

  test("a config that is written says exactly that, and can be read", () => {
    const random = fractionsFrom(1);
    let written = 0;
    for (let left = SETS; left > 0; left--) {
      const changes = set(random);
      const { text, refusals } = planOf(changes, "static");
      if (text === null) continue;
      written++;
      expect(refusals).toEqual([]);
      const after = parseLaunchConfig(text, "web1.json");
      const facts = stoppedFacts({ config: after });
      expect({ changes, again: planOf(changes, "static", facts).text }).toEqual({ changes, again: null });
    }
    expect(written).toBeGreaterThan(SETS / 10);
  });

  test("it is either refused with a reason, or planned as steps of the changes that need some", () => {
    const random = fractionsFrom(2);
    for (let left = SETS; left > 0; left--) {
      const facts = factsOf({ live: liveOf({ slots: slotsOf(4, pick(random, [1, 2, 3, 4])) }) });
      const plan = planOf(set(random), "dynamic", facts);
      const stepped = new Set(plan.steps.map(({ change }) => change));
      for (const [position, { dynamic }] of plan.changes.entries())
        expect(stepped.has(position)).toBe(plan.refusals.length === 0 && dynamic?.needed === true);
    }
  });
});
