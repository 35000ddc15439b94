import { describe, expect, test } from "vitest";
import { changedLines, configOf, factsOf, GIB, liveOf, MIB, planOf, reasonsOf, stoppedFacts, textOf } from "../../../scripts/lab/facts.ts";
import type { Facts, LiveFacts } from "../../../src/domain/facts/facts.ts";
import type { GuestNeed } from "../../../src/domain/facts/guest-need.ts";
import type { LiveMemory } from "../../../src/domain/facts/live-memory.ts";
import { isShrink } from "../../../src/domain/resources/memory-need.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { UsageError } from "../../../src/errors.ts";

const to = (mib: number): Change => ({ resource: "memory", size: mib * MIB });
const toMax = (mib: number): Change => ({ resource: "max-memory", size: mib * MIB });
const noBalloon = configOf({ memory: { max: GIB, current: GIB }, args: [] });

describe("memory of the config", () => {
  test("is one line of the file", () => {
    const plan = planOf(to(300), "static");
    expect(plan).toMatchObject({ refusals: [], steps: [], changes: [{ static: { before: GIB, needed: true }, dynamic: null }] });
    expect(changedLines(textOf(configOf()), plan.text)).toEqual(['"current": "300MiB"']);
  });

  test("that is so already is not written", () => {
    expect(planOf(to(1024), "static")).toMatchObject({ text: null, refusals: [], changes: [{ static: { needed: false } }] });
  });

  test("above the maximum is refused with both numbers", () => {
    expect(planOf(to(3072), "static").refusals).toEqual([
      {
        leg: "static",
        reason: "memory 3GiB is above memory.max 2GiB of the config",
        instead: "qmpctl setmaxmem web1 3GiB --static, then set the memory",
      },
    ]);
  });

  test("below the least is refused, also by force: such a config could not be read again", () => {
    const facts = stoppedFacts({ config: configOf({ memory: { min: 512 * MIB } }) });
    expect(reasonsOf(planOf(to(300), "static", facts, true))).toEqual(["static: memory 300MiB is below memory.min 512MiB of the config"]);
  });

  test("below the maximum needs a balloon", () => {
    expect(reasonsOf(planOf(to(300), "static", stoppedFacts({ config: noBalloon })))).toEqual([
      "static: memory 300MiB below memory.max 1GiB needs a balloon device, and the config has none",
    ]);
    const readFromFile = configOf({ memory: { max: GIB, current: GIB }, args: ["-readconfig", "devices.cfg"] });
    expect(planOf(to(300), "static", stoppedFacts({ config: readFromFile })).refusals).toEqual([]);
  });
});

describe("memory of the running machine", () => {
  test("is the balloon's target", () => {
    const plan = planOf(to(300), "dynamic");
    expect(plan.steps).toEqual([{ change: 0, step: { kind: "balloon", target: 300 * MIB, before: GIB, actual: GIB } }]);
    expect(plan).toMatchObject({ text: null, refusals: [], changes: [{ static: null, dynamic: { before: GIB, needed: true } }] });
  });

  test("that is so already is not asked for", () => {
    expect(planOf(to(1024), "dynamic")).toMatchObject({ steps: [], changes: [{ dynamic: { needed: false } }] });
  });

  test("that is there while the guest is on its way elsewhere is asked for, and undone to where it was headed", () => {
    const plan = planOf(to(1024), "dynamic", factsOf({ asked: { balloon: 300 * MIB } }));
    expect(plan.steps.map(({ step }) => step)).toEqual([{ kind: "balloon", target: GIB, before: 300 * MIB, actual: GIB }]);
  });

  test("is left alone while the guest lets go of memory, unless forced: a balloon that moves then can make it panic", () => {
    const facts = factsOf({ live: liveOf({ leavingMemory: ["dimm1"] }) });
    expect(planOf(to(300), "dynamic", facts).refusals).toEqual([
      {
        leg: "dynamic",
        reason: "the guest is letting go of memory (dimm1), and a balloon that moves meanwhile can make it panic",
        instead: "wait until it has, or --force",
      },
    ]);
    expect(planOf(to(300), "dynamic", facts, true).refusals).toEqual([]);
    expect(planOf(to(300), "static", facts).refusals).toEqual([]);
  });

  test("without a balloon can't change", () => {
    const live = liveOf({ memory: { size: GIB, actual: null, balloon: null, guest: null } });
    expect(planOf(to(300), "dynamic", factsOf({ live })).refusals).toEqual([
      {
        leg: "dynamic",
        reason: "the machine has no balloon device, so its memory can't change while it runs",
        instead: `add "-device", "virtio-balloon-pci,id=balloon0" to the config's args and restart it`,
      },
    ]);
    expect(planOf(to(1024), "dynamic", factsOf({ live })).refusals).toEqual([]);
  });

  test("is checked against its own maximum, not the config's", () => {
    const live = liveOf({ memory: { size: GIB, actual: GIB, balloon: "/b", guest: null } });
    expect(reasonsOf(planOf(to(1536), "both", factsOf({ live })))).toEqual([
      "dynamic: memory 1536MiB is above the 1GiB that the machine was started with",
    ]);
  });

  test("below the config's least is refused without force", () => {
    const facts = factsOf({ config: configOf({ memory: { min: 512 * MIB } }) });
    expect(reasonsOf(planOf(to(300), "dynamic", facts))).toEqual(["dynamic: memory 300MiB is below memory.min 512MiB of the config"]);
    expect(planOf(to(300), "dynamic", facts, true).refusals).toEqual([]);
  });

  describe("below what the guest needs", () => {
    const saying = (need: GuestNeed, asked: Facts["asked"] = {}): LiveFacts =>
      factsOf({
        live: liveOf({
          ...("frozen" in need || ("silent" in need && need.silent === "frozen") ? { status: "paused", running: false } : {}),
          memory: { size: 2 * GIB, actual: GIB, balloon: "/b", guest: null },
        }),
        asked,
        need,
      });
    const uses = (mib: number, more: { readonly frozen?: true } = {}): LiveFacts => saying({ uses: mib * MIB - 1, ...more });

    test("is refused without force, with what would do", () => {
      expect(planOf(to(300), "dynamic", uses(424)).refusals).toEqual([
        {
          leg: "dynamic",
          reason: "memory 300MiB is below the 424MiB that the guest says it uses, and could kill it",
          instead: "at least 453MiB, or --force",
        },
      ]);
      expect(planOf(to(300), "dynamic", uses(424), true).refusals).toEqual([]);
      expect(planOf(to(453), "dynamic", uses(424)).refusals).toEqual([]);
    });

    test.each([
      [134, 149, 150],
      [16, 31, 32],
      [424, 450, 451],
      [512, 543, 544],
    ])("%i MiB: with %i MiB there is too little left to live on, %i MiB do", (used, little, enough) => {
      expect(reasonsOf(planOf(to(little), "dynamic", uses(used)))).toEqual([
        `dynamic: memory ${little}MiB leaves the guest next to nothing besides the ${used}MiB that it says it uses, and could kill it`,
      ]);
      expect(planOf(to(enough), "dynamic", uses(used)).refusals).toEqual([]);
    });

    test("counts as the most that it can be while the guest is paused", () => {
      expect(planOf(to(300), "dynamic", uses(424, { frozen: true })).refusals).toMatchObject([
        {
          reason: "memory 300MiB is below the 451MiB that the guest may need: it is paused, and can't be asked what it uses now",
          instead: "resume it first, so that it can be asked, or at least 453MiB, or --force",
        },
      ]);
    });

    test.each([
      ["no-answer", 1000, /does not say how much memory it uses, though it was asked just now, and 1000MiB could kill it/, /ask again/],
      ["frozen", 1000, /paused and has never said how much memory it uses/, /resume it first/],
      [
        "no-driver",
        1000,
        /balloon driver is not up, so the guest can't say how much memory it uses, and 1000MiB could kill it as soon as the driver is/,
        /at least 1GiB/,
      ],
    ] as const)("is not known of a guest that is silent (%s): refused, unless forced", (silent, size, reason, instead) => {
      expect(planOf(to(size), "dynamic", saying({ silent })).refusals).toEqual([
        { leg: "dynamic", reason: expect.stringMatching(reason), instead: expect.stringMatching(instead) },
      ]);
      expect(planOf(to(size), "dynamic", saying({ silent }), true).refusals).toEqual([]);
    });

    test("half of it is safe while the driver is not up; of a small machine nothing less than all", () => {
      const half = factsOf({
        live: liveOf({ memory: { size: GIB, actual: GIB, balloon: "/b", guest: null } }),
        need: { silent: "no-driver" },
      });
      expect(planOf(to(512), "dynamic", half).refusals).toEqual([]);
      expect(planOf(to(511), "dynamic", half).refusals).toHaveLength(1);
      const small = factsOf({
        live: liveOf({ memory: { size: 128 * MIB, actual: 128 * MIB, balloon: "/b", guest: null } }),
        need: { silent: "no-driver" },
      });
      expect(planOf(to(120), "dynamic", small).refusals).toHaveLength(1);
    });

    test("does not stop what leaves the guest more than it is headed for", () => {
      expect(planOf(to(200), "dynamic", saying({ uses: 424 * MIB }, { balloon: 150 * MIB })).refusals).toEqual([]);
      expect(planOf(to(100), "dynamic", saying({ uses: 424 * MIB }, { balloon: 150 * MIB })).refusals).toHaveLength(1);
      // On its way up: less than where it goes is less, though more than it has by now.
      expect(isShrink(1100 * MIB, saying({ uses: 0 }, { balloon: 2 * GIB }))).toBe(true);
      expect([isShrink(GIB, saying({ uses: 0 })), isShrink(GIB - MIB, saying({ uses: 0 }))]).toEqual([false, true]);
    });
  });

  describe("with memory beside what the machine was started with", () => {
    const beside = (memory: Partial<LiveMemory>): LiveFacts =>
      factsOf({
        config: configOf({ memory: { max: GIB, current: GIB } }),
        live: liveOf({ memory: { size: GIB, actual: GIB, balloon: "/b", guest: null, ...memory } }),
      });

    test("is bounded by what the balloon works in: DIMMs are in it, virtio-mem is not", () => {
      expect(planOf(to(1025), "dynamic", beside({ virtioMem: GIB })).refusals).toEqual([
        {
          leg: "dynamic",
          reason:
            "memory 1025MiB is above the 1GiB that the machine was started with (the 1GiB of virtio-mem are beside it, and change by its requested-size)",
          instead: "raise it with setmaxmem --static, and restart it",
        },
      ]);
      expect(planOf(to(1500), "dynamic", beside({ size: 2 * GIB, dimms: GIB, actual: 2 * GIB })).refusals).toEqual([]);
      expect(reasonsOf(planOf(to(3000), "dynamic", beside({ size: 2 * GIB, dimms: GIB })))).toEqual([
        "dynamic: memory 3000MiB is above the 2GiB that the machine was started with, DIMMs of 1GiB among it",
      ]);
    });

    test.each([
      ["DIMMs", { size: 2 * GIB, dimms: GIB, actual: 2 * GIB }],
      ["virtio-mem", { virtioMem: GIB }],
    ])("has the maximum that it was started with (%s)", (_, memory) => {
      expect(planOf(toMax(1024), "dynamic", beside(memory)).refusals).toEqual([]);
      expect(reasonsOf(planOf(toMax(2048), "dynamic", beside(memory)))).toEqual(["dynamic: QEMU fixes the maximum memory at start (1GiB)"]);
    });
  });
});

describe("maximum memory", () => {
  test("is the config's business", () => {
    const plan = planOf(toMax(4096), "static");
    expect(plan.refusals).toEqual([]);
    expect(changedLines(textOf(configOf()), plan.text)).toEqual(['"max": "4GiB",']);
  });

  test("takes the memory with it where no balloon could hold that down", () => {
    const plan = planOf(toMax(2048), "static", stoppedFacts({ config: noBalloon }));
    expect(plan.refusals).toEqual([]);
    expect(changedLines(textOf(noBalloon), plan.text)).toEqual(['"max": "2GiB",', '"current": "2GiB"']);
  });

  test("below the memory is refused with both numbers", () => {
    expect(planOf(toMax(512), "static").refusals).toEqual([
      {
        leg: "static",
        reason: "maximum memory 512MiB is below memory.current 1GiB of the config",
        instead: "qmpctl setmem web1 512MiB --static first",
      },
    ]);
  });

  test.each([4096, 8192])("of %i MiB is refused where memory can be plugged up to 4 GiB", (mib) => {
    const facts = stoppedFacts({ config: configOf({ memory: { hotplug: { slots: 2, limit: 4 * GIB } } }) });
    expect(reasonsOf(planOf(toMax(mib), "static", facts))).toEqual([
      `static: maximum memory ${mib / 1024}GiB is not below memory.hotplug.limit 4GiB of the config`,
    ]);
  });

  test("of a running machine is fixed", () => {
    expect(planOf(toMax(4096), "dynamic").refusals).toEqual([
      {
        leg: "dynamic",
        reason: "QEMU fixes the maximum memory at start (2GiB)",
        instead: "qmpctl setmaxmem web1 4GiB --static, then qmpctl restart web1",
      },
    ]);
    expect(planOf(toMax(2048), "dynamic").refusals).toEqual([]);
  });
});

describe("a size that no machine could have", () => {
  test.each([0, -4096, 1, 4095, 1.5, Number.NaN, Infinity, 2 ** 60])("as memory of %d bytes is a misuse", (size) => {
    expect(() => planOf({ resource: "memory", size }, "static")).toThrow(UsageError);
  });

  test.each([0, -MIB, 4096, MIB + 4096])("as maximum memory of %d bytes is a misuse", (size) => {
    expect(() => planOf({ resource: "max-memory", size }, "static")).toThrow(UsageError);
  });
});
