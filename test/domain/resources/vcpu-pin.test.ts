import { describe, expect, test } from "vitest";
import {
  changedLines,
  configOf,
  cpus,
  factsOf,
  liveOf,
  planOf,
  reasonsOf,
  slotsOf,
  stoppedFacts,
  textOf,
  vcpusIn,
} from "../../../scripts/lab/facts.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { UsageError } from "../../../src/errors.ts";

const pin = (vcpu: number, list: string): Change => ({ resource: "vcpu-pin", vcpu, cpus: list });
const pinned = configOf({ vcpus: { pin: { "0": "0,1", "1": "3" } } });

describe("a pin of the config", () => {
  test("is one line of the file, in its shortest form", () => {
    expect(changedLines(textOf(pinned), planOf(pin(1, "2,0,1"), "static", factsOf({ config: pinned })).text)).toEqual(['"1": "0-2"']);
  });

  test("that says the same in other words is not written", () => {
    expect(planOf(pin(0, "0-1"), "static", factsOf({ config: pinned }))).toMatchObject({
      text: null,
      changes: [{ static: { before: "0-1", needed: false } }],
    });
  });

  test("is taken out by `all`", () => {
    const { text } = planOf(pin(0, "all"), "static", factsOf({ config: pinned }));
    expect(JSON.parse(text ?? "")).toMatchObject({ vcpus: { pin: { "1": "3" } } });
    expect(text).not.toContain('"0":');
  });

  test("may be for a vCPU that is not plugged, not for one that there is no room for", () => {
    expect(planOf(pin(3, "0"), "static").refusals).toEqual([]);
    expect(planOf(pin(4, "0"), "static").refusals).toEqual([
      { leg: "static", reason: "vCPU 4 is out of range of the config, which has room for 4", instead: "a vCPU from 0 to 3" },
    ]);
  });

  test("names the CPUs that the host has not, and those that are off, at once", () => {
    expect(planOf(pin(0, "0,4,6-7"), "static").refusals).toEqual([
      { leg: "static", reason: "this host has no CPU 6-7", instead: "CPUs out of 0-3" },
      { leg: "static", reason: "CPU 4 of this host is offline", instead: "CPUs out of 0-3" },
    ]);
  });
});

describe("a pin of the running machine", () => {
  test("is one step, and remembers the mask that was", () => {
    expect(planOf(pin(1, "2"), "dynamic").steps).toEqual([
      { change: 0, step: { kind: "pin", vcpu: 1, cpus: "2", before: "0-3", allowSubset: false } },
    ]);
  });

  test("that is so already needs nothing, in whatever words", () => {
    for (const list of ["all", "0-3", "0,1,2,3", "0-7,^4-7"]) expect(planOf(pin(1, list), "dynamic").steps).toEqual([]);
  });

  test("to all takes what the kernel gives", () => {
    const live = liveOf({ vcpus: vcpusIn(slotsOf(4, 2), "1") });
    expect(planOf(pin(0, "all"), "dynamic", factsOf({ live })).steps[0]?.step).toMatchObject({
      cpus: "all",
      before: "1",
      allowSubset: true,
    });
  });

  test("of a vCPU that is not plugged is refused", () => {
    expect(planOf(pin(2, "0"), "dynamic").refusals).toEqual([
      {
        leg: "dynamic",
        reason: "vCPU 2 is not plugged, so it has no thread yet",
        instead: "--static: what the config has for it is applied when it is plugged",
      },
    ]);
    expect(reasonsOf(planOf(pin(9, "0"), "dynamic"))).toEqual([
      "dynamic: vCPU 9 is out of range of the running machine, which has room for 4",
    ]);
  });

  test("is refused where the threads are shared, or elsewhere", () => {
    const shared = liveOf({ pinObstacle: "all vCPUs share one thread (tcg,thread=single), so none can be pinned by itself" });
    expect(reasonsOf(planOf(pin(0, "0"), "dynamic", factsOf({ live: shared })))).toEqual([
      "dynamic: vCPU 0 can't be pinned: all vCPUs share one thread (tcg,thread=single), so none can be pinned by itself",
    ]);
    const sharing = liveOf({ pinObstacle: "all vCPUs share one thread", vcpus: shared.vcpus.map((vcpu) => ({ ...vcpu, tid: 77 })) });
    expect(planOf(pin(0, "0"), "dynamic", factsOf({ live: sharing })).refusals).toMatchObject([
      { instead: "one thread each: -accel tcg,thread=multi" },
    ]);
    const remote = liveOf({ pid: null, vcpus: vcpusIn(slotsOf(4, 2), null) });
    expect(reasonsOf(planOf(pin(0, "0"), "dynamic", factsOf({ live: remote })))).toEqual([
      "dynamic: vCPU 0 can't be pinned: the machine's threads are not on this host",
    ]);
  });

  test("to CPUs that are not there is refused, and of both halves at once", () => {
    expect(reasonsOf(planOf(pin(0, "9"), "both"))).toEqual(["static: this host has no CPU 9", "dynamic: this host has no CPU 9"]);
    expect(reasonsOf(planOf(pin(0, "1"), "both", factsOf({ online: cpus(0) })))).toEqual([
      "static: CPU 1 of this host is offline",
      "dynamic: CPU 1 of this host is offline",
    ]);
  });
});

describe("what can't be meant", () => {
  test.each(["", "x", "3-1", "0,,1", "^0", "0-1,^0-1", "8192", "ALL"])("as the list %j is a misuse", (list) => {
    expect(() => planOf(pin(0, list), "static", stoppedFacts())).toThrow(UsageError);
  });

  test.each([-1, 0.5, Number.NaN])("as vCPU %d is a misuse", (vcpu) => {
    expect(() => planOf(pin(vcpu, "0"), "static", stoppedFacts())).toThrow(UsageError);
  });
});
