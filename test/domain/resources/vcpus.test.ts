import { describe, expect, test } from "vitest";
import {
  changedLines,
  configOf,
  cpus,
  factsOf,
  liveOf,
  planOf,
  reasonsOf,
  slotOf,
  slotsOf,
  stoppedFacts,
  textOf,
  vcpusIn,
} from "../../../scripts/lab/facts.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { isOf, type PinStep, type PlugStep, type Step, type UnplugStep } from "../../../src/domain/resources/step.ts";
import { UsageError } from "../../../src/errors.ts";

const to = (count: number): Change => ({ resource: "vcpus", count });
const toMax = (count: number): Change => ({ resource: "max-vcpus", count });

/** What the steps do, in short: `+2` plugs the slot of vCPU 2, `-3,2` unplugs, `2@all` pins. */
function inShort(steps: readonly { readonly step: Step }[]): readonly string[] {
  return steps.map(({ step }) => {
    if (isOf<PlugStep>("plug", step)) return `+${step.slot.first}`;
    if (isOf<UnplugStep>("unplug", step)) return `-${step.slots.map(({ slot }) => slot.first).join(",")}`;
    return isOf<PinStep>("pin", step) ? `${step.vcpu}@${step.cpus}` : "balloon";
  });
}

describe("vCPUs of the config", () => {
  test("are one line of the file", () => {
    const plan = planOf(to(3), "static");
    expect(plan).toMatchObject({ refusals: [], steps: [], changes: [{ static: { before: 2, needed: true } }] });
    expect(changedLines(textOf(configOf()), plan.text)).toEqual(['"current": 3,']);
  });

  test("above the maximum are refused with both numbers", () => {
    expect(planOf(to(5), "static").refusals).toEqual([
      {
        leg: "static",
        reason: "5 vCPUs are more than vcpus.max 4 of the config",
        instead: "qmpctl setvcpus web1 5 --maximum --static first",
      },
    ]);
  });
});

describe("vCPUs of a config for whole cores", () => {
  const config = (emulator: string) => ({ ...configOf({ vcpus: { max: 8, current: 4, topology: { cores: 2, threads: 4 } } }), emulator });

  test("are refused in between, with the nearest that can be", () => {
    expect(planOf(to(6), "static", stoppedFacts({ config: config("/usr/bin/qemu-system-ppc64le") })).refusals).toEqual([
      {
        leg: "static",
        reason: "6 vCPUs can't be made of whole cores of 4 threads, and this emulator starts with no others",
        instead: "4 or 8",
      },
    ]);
    expect(planOf(to(8), "static", stoppedFacts({ config: config("qemu-system-ppc64") })).refusals).toEqual([]);
  });

  test("are any number on other machines", () => {
    expect(planOf(to(6), "static", stoppedFacts({ config: config("qemu-system-x86_64") })).refusals).toEqual([]);
  });
});

describe("vCPUs of the running machine", () => {
  test("P18: grow into the free slots from the lowest", () => {
    const plan = planOf(to(4), "dynamic");
    expect(inShort(plan.steps)).toEqual(["+2", "+3"]);
    expect(plan.steps.map(({ step }) => isOf<PlugStep>("plug", step) && step.id)).toEqual(["vcpu2", "vcpu3"]);
  });

  test("fill the gaps that an unplug has left", () => {
    const slots = [slotOf(0, { plugged: true }), slotOf(1), slotOf(2, { plugged: true }), slotOf(3)];
    expect(inShort(planOf(to(3), "dynamic", factsOf({ live: liveOf({ slots }) })).steps)).toEqual(["+1"]);
  });

  test("P18: shrink from the highest, all asked for at once", () => {
    const plan = planOf(to(1), "dynamic", factsOf({ live: liveOf({ slots: slotsOf(4, 4) }) }));
    expect(inShort(plan.steps)).toEqual(["-3,2,1"]);
    expect(plan.steps[0]?.step).toMatchObject({
      from: 4,
      to: 1,
      noReturn: null,
      slots: [{ device: "vcpu3" }, { device: "vcpu2" }, { device: "vcpu1" }],
    });
  });

  test("get an id that nobody has", () => {
    const live = liveOf({ ids: new Set(["vcpu2", "vcpu2-2"]) });
    expect(planOf(to(3), "dynamic", factsOf({ live })).steps[0]?.step).toMatchObject({ id: "vcpu2-3" });
  });

  test("that are so already need nothing", () => {
    expect(planOf(to(2), "dynamic")).toMatchObject({ steps: [], changes: [{ dynamic: { needed: false } }] });
  });

  test("above the running machine's own maximum are refused, whatever the config has room for", () => {
    const facts = factsOf({ config: configOf({ vcpus: { max: 8 } }) });
    expect(planOf(to(6), "both", facts).refusals).toEqual([
      {
        leg: "dynamic",
        reason: "6 vCPUs are more than the 4 that the running machine has room for",
        instead: "at most 4, or raise it with setvcpus --maximum --static and restart",
      },
    ]);
  });

  test("of a machine that can't plug any are fixed", () => {
    const live = liveOf({ slots: [], vcpus: vcpusIn(slotsOf(2, 2)), maxVcpus: 2 });
    expect(planOf(to(1), "dynamic", factsOf({ live })).refusals).toEqual([
      { leg: "dynamic", reason: "this machine can't plug vCPUs while it runs", instead: "qmpctl setvcpus web1 1 --static, then restart" },
    ]);
  });

  test("can't change during a migration", () => {
    const facts = factsOf({ live: liveOf({ migration: "active" }) });
    expect(planOf(to(3), "dynamic", facts).refusals).toEqual([
      { leg: "dynamic", reason: "a migration is under way (active)", instead: "wait for its end, or migrate_cancel" },
    ]);
    expect(planOf(to(2), "dynamic", facts).refusals).toEqual([]);
  });
});

describe("a machine of whole cores", () => {
  const cores = factsOf({ config: configOf({ vcpus: { max: 16, current: 8 } }), live: liveOf({ slots: slotsOf(16, 8, 4) }) });

  test("grows and shrinks by them", () => {
    expect(inShort(planOf(to(16), "dynamic", cores).steps)).toEqual(["+8", "+12"]);
    expect(inShort(planOf(to(4), "dynamic", cores).steps)).toEqual(["-4"]);
  });

  test.each([
    [9, "8 or 12"],
    [14, "12 or 16"],
    [6, "4 or 8"],
    [1, "4"],
    [3, "4"],
  ])("has no %i vCPUs, and says what it can have", (count, instead) => {
    expect(planOf(to(count), "dynamic", cores).refusals).toEqual([
      { leg: "dynamic", reason: `${count} vCPUs can't be made of this machine's cores, which have 4 vCPUs each`, instead },
    ]);
  });

  test("gives each thread of a new core its own mask", () => {
    const facts = { ...cores, config: configOf({ vcpus: { max: 16, current: 8, pin: { "9": "1", "11": "2-3" } } }) };
    expect(inShort(planOf(to(12), "dynamic", facts).steps)).toEqual(["+8", "9@1", "11@2-3"]);
  });
});

describe("a new vCPU's mask", () => {
  const pinned = configOf({ vcpus: { pin: { "2": "1" } } });

  test("P19: is the config's, right after its plug", () => {
    expect(inShort(planOf(to(4), "dynamic", factsOf({ config: pinned })).steps)).toEqual(["+2", "2@1", "+3"]);
  });

  test("is all CPUs where the emulator itself is bound to some", () => {
    const live = liveOf({ mainAffinity: cpus(0) });
    expect(inShort(planOf(to(4), "dynamic", factsOf({ live, config: pinned })).steps)).toEqual(["+2", "2@1", "+3", "3@all"]);
  });

  test("is nobody's business where the threads can't be reached", () => {
    for (const changes of [{ pid: null, mainAffinity: null }, { pinObstacle: "all vCPUs share one thread" }]) {
      expect(inShort(planOf(to(3), "dynamic", factsOf({ live: liveOf(changes), config: pinned })).steps)).toEqual(["+2"]);
    }
  });
});

describe("while the guest has not let go of a vCPU", () => {
  const pending = factsOf({ live: liveOf({ slots: slotsOf(4, 4) }), asked: { unplug: [3] } });

  test("another count is refused: QEMU can't take an unplug back", () => {
    for (const count of [1, 2, 4]) {
      expect(planOf(to(count), "dynamic", pending).refusals).toEqual([
        {
          leg: "dynamic",
          reason: "the guest was asked to let go of vCPU 3 and has not done it yet; QEMU can't take that back",
          instead: "wait until it has (qmpctl diff web1), or ask for 3 again, or --force",
        },
      ]);
    }
  });

  test("the same count asks it again", () => {
    const plan = planOf(to(3), "dynamic", pending);
    expect([plan.refusals, inShort(plan.steps)]).toEqual([[], ["-3"]]);
  });

  test("by force, a lower count lets go of more, and never of the pending one only", () => {
    expect(inShort(planOf(to(1), "dynamic", pending, true).steps)).toEqual(["-3,2,1"]);
  });

  test("by force, the count of now asks for no more unplugs", () => {
    expect(inShort(planOf(to(4), "dynamic", pending, true).steps)).toEqual([]);
  });

  test("that has left meanwhile, all is open again", () => {
    const left = factsOf({ live: liveOf({ slots: slotsOf(4, 3) }), asked: { unplug: [3] } });
    expect(inShort(planOf(to(4), "dynamic", left).steps)).toEqual(["+3"]);
  });
});

describe("maximum vCPUs", () => {
  test("are the config's business", () => {
    const plan = planOf(toMax(8), "static");
    expect(plan.refusals).toEqual([]);
    expect(changedLines(textOf(configOf()), plan.text)).toEqual(['"max": 8,']);
  });

  test("of a running machine are fixed", () => {
    expect(planOf(toMax(8), "dynamic").refusals).toEqual([
      {
        leg: "dynamic",
        reason: "QEMU fixes the maximum number of vCPUs at start (4)",
        instead: "qmpctl setvcpus web1 8 --maximum --static, then qmpctl restart web1",
      },
    ]);
  });

  test("below what there is, against the topology and below a pin are refused with every reason", () => {
    const config = configOf({ vcpus: { max: 4, current: 3, pin: { "1": "0", "3": "0" }, topology: { sockets: 2, cores: 2 } } });
    expect(reasonsOf(planOf(toMax(2), "static", stoppedFacts({ config })))).toEqual([
      "static: maximum vCPUs 2 is below vcpus.current 3 of the config",
      "static: the config pins vCPU 3, which a maximum of 2 has no room for",
      "static: vcpus.topology of the config describes 4 vCPUs, not 2",
    ]);
  });
});

describe("a number that is none", () => {
  test.each([0, -1, 1.5, Number.NaN, 4097])("as %d vCPUs is a misuse", (count) => {
    expect(() => planOf(to(count), "static")).toThrow(UsageError);
    expect(() => planOf(toMax(count), "static")).toThrow(UsageError);
  });
});
