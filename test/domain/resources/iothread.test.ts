import { describe, expect, test } from "vitest";
import { BALLOON, configOf, factsOf, iothreadOf, liveOf, planOf, reasonsOf } from "../../../scripts/lab/facts.ts";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import type { LiveIothread } from "../../../src/domain/facts/live-thread.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { adding, removing, setting } from "../../../src/domain/resources/iothread-step.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";
import { CommandError } from "../../../src/qmp/errors.ts";

const add = (id: string): Change => ({ resource: "iothread", iothread: id, state: "present" });
const del = (id: string): Change => ({ resource: "iothread", iothread: id, state: "absent" });
const set = (id: string, settings: string): Change => ({ resource: "iothread-set", iothread: id, settings });
const isOurs = ({ resource }: { readonly resource: string }): boolean => resource === "iothread" || resource === "iothread-set";

const IO0 = ["-object", "iothread,id=io0"];
const configWith = (...args: readonly string[]): LaunchConfig => configOf({ args: [...BALLOON, ...args] });
const facts = (config: LaunchConfig, ...iothreads: readonly LiveIothread[]): LiveFacts => factsOf({ config, live: liveOf({ iothreads }) });
const argsOf = (text: string | null): readonly string[] => (JSON.parse(text ?? "{}") as { args: readonly string[] }).args;

describe("an iothread", () => {
  test("is added to both halves: words behind args, and one command", () => {
    const plan = planOf(add("io1"), "both", facts(configWith(...IO0), iothreadOf("io0")));
    expect(plan.steps.map(({ step }) => step)).toEqual([{ kind: "iothread-add", iothread: "io1", settings: {} }]);
    expect(argsOf(plan.text)).toEqual([...BALLOON, ...IO0, "-object", "iothread,id=io1"]);
  });

  test("that is added gets its pin, its policy and its settings of the config, or what the main thread has not", () => {
    const config = {
      ...configWith("-object", "iothread,id=io1,poll-max-ns=7"),
      threads: { iothreads: { io1: "0" }, iothreadsSched: { io1: "batch" } },
    };
    expect(planOf(add("io1"), "dynamic", facts(config)).steps.map(({ step }) => step)).toMatchObject([
      { kind: "iothread-add", settings: { "poll-max-ns": 7 } },
      { kind: "iothread-pin", iothread: "io1", cpus: "0", before: null },
      { kind: "iothread-sched", target: "io1", policy: "batch", before: null },
    ]);
    const main = { vcpus: new Map(), main: "idle", rights: { highest: 99, leavesIdle: true } };
    const narrow = factsOf({ live: liveOf({ iothreads: [], mainAffinity: new Set([0]), scheduling: main }) });
    expect(planOf(add("io1"), "dynamic", narrow).steps.map(({ step }) => step)).toMatchObject([
      { kind: "iothread-add" },
      { kind: "iothread-pin", cpus: "all", allowSubset: true },
      { kind: "iothread-sched", policy: "other" },
    ]);
  });

  test("is pinned and set in the set that adds it, whatever the order; what is asked for comes last", () => {
    const narrow = factsOf({ config: configWith(), live: liveOf({ iothreads: [], mainAffinity: new Set([0]) }) });
    const plan = planOf(
      [{ resource: "iothread-pin", iothread: "io1", cpus: "1" }, set("io1", "poll-max-ns=0"), add("io1")],
      "both",
      narrow,
    );
    expect(plan.refusals).toEqual([]);
    expect(plan.steps.map(({ step }) => ("cpus" in step ? step.cpus : step.kind))).toEqual(["iothread-add", "all", "1", "iothread-set"]);
    expect(argsOf(plan.text).at(-1)).toBe("iothread,id=io1,poll-max-ns=0");
  });

  test("in use is not removed, and the device is named in both halves", () => {
    const config = configWith(...IO0, "-device", "virtio-scsi-pci,iothread=io0");
    const plan = planOf(del("io0"), "both", facts(config, iothreadOf("io0", { users: ["scsi0"] })));
    expect(reasonsOf(plan)).toEqual([
      "static: iothread io0 is in use in the config: -device virtio-scsi-pci,iothread=io0",
      expect.stringMatching(/^dynamic: iothread io0 is in use: by scsi0/),
    ]);
  });

  test("is removed from both halves, and comes back as it was", () => {
    const io1 = iothreadOf("io1", { affinity: "0", policy: "batch", settings: { "poll-max-ns": 7 } });
    const given = facts(configWith(...IO0, "-object", "iothread,id=io1"), iothreadOf("io0"), io1);
    const plan = planOf(del("io1"), "both", given);
    expect(argsOf(plan.text)).toEqual([...BALLOON, ...IO0]);
    const step = plan.steps[0]?.step as never;
    expect(removing.inverse(step, liveOf({ iothreads: [] }), given.live)).toMatchObject([
      { kind: "iothread-add", settings: { "poll-max-ns": 7 } },
      { kind: "iothread-pin", cpus: "0" },
      { kind: "iothread-sched", policy: "batch" },
    ]);
    expect(removing.inverse(step, given.live, given.live)).toEqual([]);
  });

  test("that somebody else has added meanwhile is not taken back", () => {
    const step = { kind: "iothread-add", iothread: "io1", settings: {} } as const;
    const [before, now] = [liveOf({ iothreads: [] }), liveOf({ iothreads: [iothreadOf("io1")] })];
    expect(adding.inverse(step, now, before)).toMatchObject([{ kind: "iothread-del", iothread: "io1" }]);
    const refused = new CommandError("object-add", { class: "GenericError", desc: "attempt to add duplicate property" } as never);
    expect(adding.inverse(step, now, before, refused)).toEqual([]);
    expect(adding.inverse(step, before, before)).toEqual([]);
  });

  test("has a row where the halves differ, and is reverted and persisted", () => {
    const given = facts(configWith(...IO0), iothreadOf("io1", { settings: { "poll-max-ns": 7 } }));
    expect(diffOf(given).filter(({ resource }) => resource.startsWith("iothread "))).toMatchObject([
      { resource: "iothread io0", config: "present", live: "absent" },
      { resource: "iothread io1", config: "absent", live: "present" },
    ]);
    expect(changesToRevert(given).filter(isOurs)).toEqual([add("io0"), del("io1")]);
    expect(changesToPersist(given).filter(isOurs)).toEqual([del("io0"), add("io1"), set("io1", "poll-max-ns=7")]);
    expect(argsOf(planOf(changesToPersist(given).filter(isOurs), "static", given).text)).toEqual([
      ...BALLOON,
      "-object",
      "iothread,id=io1,poll-max-ns=7",
    ]);
  });

  test("has an id of its own, and a state", () => {
    const taken = facts(configWith("-object", "memory-backend-ram,id=m0,size=1M"));
    expect(reasonsOf(planOf(add("m0"), "static", taken))).toEqual([
      expect.stringMatching(/another object's in the config: -object memory/),
    ]);
    for (const id of [".", "", "a/b", "a,b", 'q"', "1a"]) expect(() => planOf(add(id), "static")).toThrow(UsageError);
    expect(() => planOf({ resource: "iothread", iothread: "io1", state: "maybe" }, "static")).toThrow(UsageError);
  });
});

describe("what is set of an iothread", () => {
  const config = configWith(...IO0);

  test("is one step for all of it, and one word of args", () => {
    const plan = planOf(set("io0", "thread-pool-max=80,thread-pool-min=70"), "both", facts(config, iothreadOf("io0")));
    expect(plan.steps.map(({ step }) => step)).toEqual([
      {
        kind: "iothread-set",
        iothread: "io0",
        settings: { "thread-pool-min": 70, "thread-pool-max": 80 },
        before: { "thread-pool-min": 0, "thread-pool-max": 64 },
      },
    ]);
    expect(argsOf(plan.text).at(-1)).toBe("iothread,id=io0,thread-pool-min=70,thread-pool-max=80");
    const [first] = plan.steps;
    expect(setting.undoing(first?.step as never, facts(config))).toContain('"property":"thread-pool-max","value":64');
  });

  test("default is what this QEMU has by itself, and no word of args", () => {
    const own = configWith("-object", "iothread,id=io0,poll-grow=9");
    const old = planOf(set("io0", "poll-grow=default"), "both", facts(own, iothreadOf("io0", { settings: { "poll-grow": 9 } })));
    expect(old.steps).toMatchObject([{ step: { settings: { "poll-grow": 0 } } }]);
    expect(argsOf(old.text).at(-1)).toBe("iothread,id=io0");
    const modern = iothreadOf("io0", { weighs: true, settings: { "poll-grow": 9 } });
    expect(planOf(set("io0", "poll-grow=default"), "dynamic", facts(own, modern)).steps).toMatchObject([
      { step: { settings: { "poll-grow": 2 } } },
    ]);
    expect(planOf(set("io0", "poll-max-ns=default"), "both", facts(config, iothreadOf("io0")))).toMatchObject({ steps: [], text: null });
  });

  test("is refused where there is no such iothread, or QEMU has not got it, or takes it otherwise", () => {
    expect(reasonsOf(planOf(set("io7", "poll-grow=1"), "both", facts(config, iothreadOf("io0"))))).toEqual([
      "static: the config makes no iothread io7",
      "dynamic: the running machine has no iothread io7, only io0",
    ]);
    const old = iothreadOf("io0", { settings: { "poll-max-ns": 0, "poll-grow": 0, "poll-shrink": 0 } });
    expect(reasonsOf(planOf(set("io0", "thread-pool-max=2"), "dynamic", facts(config, old)))).toEqual([
      "dynamic: QEMU 10.0.0 has no thread-pool-max of iothreads: since 7.1 there is",
    ]);
    const modern = iothreadOf("io0", { weighs: true, settings: { "poll-grow": 5 } });
    expect(reasonsOf(planOf(set("io0", "poll-grow=0"), "dynamic", facts(config, modern)))).toEqual([
      "dynamic: this QEMU takes poll-grow 0 as its default, 2",
    ]);
    for (const pool of ["thread-pool-min=65", "thread-pool-max=0"])
      expect(planOf(set("io0", pool), "both", facts(config, iothreadOf("io0"))).refusals.map(({ leg }) => leg)).toEqual([
        "static",
        "dynamic",
      ]);
    expect(() => planOf(set("io0", "poll=1"), "static")).toThrow(UsageError);
  });

  test("is reverted and persisted by what differs", () => {
    const given = facts(
      configWith("-object", "iothread,id=io0,poll-max-ns=5"),
      iothreadOf("io0", { settings: { "poll-max-ns": 32768, "poll-grow": 3 } }),
    );
    expect(diffOf(given).find(({ resource }) => resource === "iothread-set io0")).toMatchObject({
      config: "poll-max-ns=5,poll-grow=default",
      live: "poll-max-ns=32768,poll-grow=3",
    });
    expect(changesToRevert(given).filter(isOurs)).toEqual([set("io0", "poll-max-ns=5,poll-grow=default")]);
    expect(changesToPersist(given).filter(isOurs)).toEqual([set("io0", "poll-max-ns=32768,poll-grow=3")]);
  });
});

test("iothreads are keys of an allocation file", () => {
  expect(changesOf({ iothreads: { present: { io1: true, io2: false }, set: { io0: { "poll-max-ns": 0, "poll-grow": null } } } })).toEqual([
    add("io1"),
    del("io2"),
    set("io0", "poll-max-ns=0,poll-grow=default"),
  ]);
  expect(() => changesOf({ iothreads: { set: { io0: { "poll-max-ns": -1 } } } })).toThrow(/neither a whole number/);
});
