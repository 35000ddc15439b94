import { describe, expect, test } from "vitest";
import { ChangeError, RefusedError } from "../../../src/domain/change/errors.ts";
import type { ChangeOptions } from "../../../src/domain/model/change.ts";
import { StateError } from "../../../src/domain/model/errors.ts";
import { LockedError } from "../../../src/host/locked-error.ts";
import { DOMAIN_CALLS } from "../../../src/remote/calls.ts";
import { LostError, UnreachableError } from "../../../src/remote/errors.ts";
import { type FleetOptions, workOverFleet } from "../../../src/remote/fleet/campaign.ts";
import type { FleetReport } from "../../../src/remote/fleet/target.ts";
import { domainWork } from "../../../src/remote/fleet/work.ts";
import { reportOf } from "../../cli/scene.ts";
import { type FakeDomain, fakes, type Fakes, infoOf, obeys, plannedReport } from "./crew-of-fakes.ts";

const gone = new UnreachableError("kvm9", "timeout", "no answer");

/** Refuses as a machine does. */
const refuses: FakeDomain = {
  change: () => Promise.reject(new RefusedError(reportOf({ outcome: "refused", refusals: [{ leg: "dynamic", reason: "no balloon" }] }))),
};

/** Plans, and then ends so. */
function endsWith(end: (options: ChangeOptions) => Promise<never>): FakeDomain {
  return { change: async (_, options) => (options.dryRun === true ? reportOf(plannedReport) : end(options)) };
}

const failed = new ChangeError(
  reportOf({ outcome: "failed", finish: "qmpctl setmem x --dynamic", takeBack: "qmpctl setmem x --static" }),
  "half",
  { cause: 0 },
);
const undone = new ChangeError(reportOf({ outcome: "rolled-back" }), "no", { cause: 0 });

async function change({ crew }: Fakes, domain: string, options: FleetOptions & { readonly dryRun?: boolean } = {}): Promise<FleetReport> {
  const { dryRun = false, ...rest } = options;
  const { signal } = rest;
  return workOverFleet(crew, domainWork(domain, { dryRun, run: (each) => each.change([], { signal, dryRun }) }), rest);
}

/** Each target with its outcome, in order. */
function told({ targets }: FleetReport): readonly string[] {
  return targets.map(({ host, domain, outcome }) => `${host}/${domain ?? "*"} ${outcome}`);
}

describe("all is planned before anything is touched", () => {
  test("where all can, all do", async () => {
    const fleet = fakes({ kvm1: { web1: obeys, db1: obeys, web2: obeys }, kvm2: { web1: obeys } });
    const report = await change(fleet, "web*");
    expect([report.outcome, told(report)]).toEqual(["done", ["kvm1/web1 applied", "kvm1/web2 applied", "kvm2/web1 applied"]]);
    const firstMade = fleet.calls.findIndex((call) => call.endsWith(": change"));
    expect(fleet.calls.slice(0, firstMade).filter((call) => call.endsWith("(dry run)"))).toHaveLength(3);
    expect(fleet.links.now).toBe(0);
  });

  test.each([
    ["a refusal", { web1: refuses }, "kvm2/web1 refused"],
    ["a host that can't be reached", gone, "kvm2/web1 unreachable"],
    ["a domain that is not there", {}, "kvm2/web1 refused"],
  ])("%s, and nothing is touched anywhere", async (_, other, end) => {
    const fleet = fakes({ kvm1: { web1: obeys }, kvm2: other, kvm3: { web1: obeys } });
    const report = await change(fleet, "web1");
    expect([report.outcome, told(report)]).toEqual(["refused", ["kvm1/web1 planned", end, "kvm3/web1 planned"]]);
    expect(fleet.calls.filter((call) => !call.endsWith("(dry run)"))).toEqual([]);
  });

  test("what is interrupted and has to be resolved is a refusal", async () => {
    const waits: FakeDomain = { change: async () => reportOf({ ...plannedReport, toResolve: "a change was interrupted" }) };
    const report = await change(fakes({ kvm1: { web1: obeys }, kvm2: { web1: waits } }), "web1");
    expect(told(report)).toEqual(["kvm1/web1 planned", "kvm2/web1 refused"]);
    expect(report.targets[1]?.error).toBeInstanceOf(StateError);
  });

  test("with wherePossible, what can be done is done", async () => {
    const fleet = fakes({ kvm1: { web1: refuses }, kvm2: gone, kvm3: { web1: obeys }, kvm4: {} });
    const report = await change(fleet, "web?", { wherePossible: true });
    expect([report.outcome, told(report)]).toEqual(["failed", ["kvm1/web1 refused", "kvm2/* unreachable", "kvm3/web1 applied"]]);
    expect(report.unmatched).toEqual(["kvm4"]);
    expect(report.targets[2]?.takeBack).toBe("qmpctl setmem x 1GiB --static --dynamic");
  });

  test("where nobody can, nothing is touched either way", async () => {
    const report = await change(fakes({ kvm1: { web1: refuses }, kvm2: gone }), "web1", { wherePossible: true });
    expect(report.outcome).toBe("refused");
  });

  test("a dry run ends there, with what would be done", async () => {
    const fleet = fakes({ kvm1: { web1: obeys } });
    const report = await change(fleet, "web1", { dryRun: true });
    expect(report).toMatchObject({ outcome: "planned", targets: [{ outcome: "planned", report: { outcome: "planned" } }] });
    expect(fleet.calls).toEqual(["kvm1/web1: change (dry run)"]);
  });

  test("what is so already is left alone", async () => {
    const so: FakeDomain = {
      change: async () =>
        reportOf({
          outcome: "planned",
          changes: reportOf().changes.map((each) => ({
            ...each,
            static: { ...each.static, outcome: "unchanged" },
            dynamic: { ...each.dynamic, wanted: null, outcome: "skipped" },
          })),
        }),
    };
    const fleet = fakes({ kvm1: { web1: so }, kvm2: { web1: obeys } });
    expect(told(await change(fleet, "web1"))).toEqual(["kvm1/web1 unchanged", "kvm2/web1 applied"]);
    expect(fleet.calls.filter((call) => call.startsWith("kvm1"))).toEqual(["kvm1/web1: change (dry run)"]);
  });

  test("a pattern that matches nothing anywhere is a mistake; so is one where each host says that the call is wrong", async () => {
    await expect(change(fakes({ kvm1: { db1: obeys }, kvm2: {} }), "web*")).rejects.toThrow("web*: it matches no domain of any of 2 hosts");
    expect(told(await change(fakes({ kvm1: { db1: obeys }, kvm2: gone }), "web*"))).toEqual(["kvm2/* unreachable"]);
  });
});

describe("what fails in the middle", () => {
  test("one failure, and no more are begun; what is under way is finished", async () => {
    const slow = endsWith(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return reportOf() as never;
    });
    const fleet = fakes({
      kvm1: { web1: endsWith(() => Promise.reject(undone)), web2: obeys },
      kvm2: { web1: slow, web2: obeys },
      kvm3: { web1: obeys },
    });
    const report = await change(fleet, "web*", { atOnce: 2 });
    expect(told(report)).toEqual([
      "kvm1/web1 rolled-back",
      "kvm1/web2 not-begun",
      "kvm2/web1 applied",
      "kvm2/web2 not-begun",
      "kvm3/web1 not-begun",
    ]);
    expect(report.outcome).toBe("failed");
    expect(fleet.calls.filter((call) => call.endsWith(": change"))).toEqual(["kvm1/web1: change", "kvm2/web1: change"]);
  });

  test("stopAfter says how many", async () => {
    const fails = endsWith(() => Promise.reject(undone));
    const fleet = fakes({ kvm1: { web1: fails }, kvm2: { web1: fails }, kvm3: { web1: obeys } });
    expect(told(await change(fleet, "web1", { stopAfter: 2, atOnce: 1 }))).toEqual([
      "kvm1/web1 rolled-back",
      "kvm2/web1 rolled-back",
      "kvm3/web1 not-begun",
    ]);
    expect(told(await change(fleet, "web1", { stopAfter: 3, atOnce: 1 })).at(-1)).toBe("kvm3/web1 applied");
  });

  test.each([
    ["partial", failed, "failed", "partial"],
    ["undone", undone, "rolled-back", "failed"],
    ["another writer has it", new LockedError("/run/lock", 0, { pid: 1, command: "x", since: undefined }), "refused", "refused"],
    ["lost, and not known", new LostError("kvm1", "gone", "0123456789"), "lost", "partial"],
    ["lost, and never begun", new LostError("kvm1", "gone", null), "unreachable", "refused"],
    ["no connection", gone, "unreachable", "refused"],
  ] as const)("%s", async (_, error, outcome, overall) => {
    const report = await change(fakes({ kvm1: { web1: endsWith(() => Promise.reject(error)) } }), "web1");
    expect([report.outcome, told(report)]).toEqual([overall, [`kvm1/web1 ${outcome}`]]);
    expect(report.targets[0]?.error).toBe(error);
  });

  test("what is lost has its key, and the command that asks for it; what is half done the commands of its report", async () => {
    const lost = new LostError("kvm1", "gone", "0123456789");
    const hosts = { kvm1: { web1: endsWith(() => Promise.reject(lost)) }, "root@kvm2": { web1: endsWith(() => Promise.reject(failed)) } };
    const { targets } = await change(fakes(hosts), "web1", { stopAfter: 2 });
    expect(targets).toMatchObject([
      { key: "0123456789", finish: "qmpctl -H kvm1 outcome 0123456789" },
      { finish: "qmpctl setmem x --dynamic", takeBack: "qmpctl setmem x --static" },
    ]);
  });

  test("the way back of what was applied is told only where something failed", async () => {
    const good = await change(fakes({ kvm1: { web1: obeys } }), "web1");
    expect(good.targets[0]).not.toHaveProperty("takeBack");
    expect(good.targets[0]?.report).not.toHaveProperty("takeBack");
    const bad = await change(fakes({ kvm1: { web1: obeys }, kvm2: { web1: endsWith(() => Promise.reject(undone)) } }), "web1", {
      atOnce: 1,
    });
    expect(bad.targets[0]).toMatchObject({ outcome: "applied", takeBack: "qmpctl setmem x 1GiB --static --dynamic" });
  });
});

describe("an interrupt", () => {
  test("reaches what is under way, and the rest is not begun", async () => {
    const stop = new AbortController();
    const waits = endsWith(async ({ signal }) => {
      stop.abort(new Error("interrupted by SIGINT"));
      throw signal?.aborted === true ? undone : new Error("no signal");
    });
    const fleet = fakes({ kvm1: { web1: obeys }, kvm2: { web1: waits, web2: obeys }, kvm3: { web1: obeys } });
    const report = await change(fleet, "web*", { signal: stop.signal, atOnce: 1 });
    expect([report.outcome, told(report)]).toEqual([
      "interrupted",
      ["kvm1/web1 applied", "kvm2/web1 rolled-back", "kvm2/web2 not-begun", "kvm3/web1 not-begun"],
    ]);
    expect(report.targets[0]?.takeBack).toBeDefined();
  });

  test("while it is planned touches nothing; what stayed partial counts more", async () => {
    const stop = new AbortController();
    const stops: FakeDomain = {
      change: async () => {
        stop.abort(new Error("interrupted"));
        throw stop.signal.reason as Error;
      },
    };
    const fleet = fakes({ kvm1: { web1: obeys }, kvm2: { web1: stops }, kvm3: { web1: obeys } });
    const report = await change(fleet, "web1", { signal: stop.signal, atOnce: 1 });
    expect([report.outcome, told(report)]).toEqual([
      "interrupted",
      ["kvm1/web1 not-begun", "kvm2/web1 interrupted", "kvm3/web1 not-begun"],
    ]);
    const again = new AbortController();
    const breaks = endsWith(() => (again.abort(new Error("interrupted")), Promise.reject(failed)));
    expect((await change(fakes({ kvm1: { web1: breaks } }), "web1", { signal: again.signal })).outcome).toBe("partial");
  });
});

describe("an action is planned by the machine's state", () => {
  test.each([
    ["start", "stopped", "applied"],
    ["start", "running", "unchanged"],
    ["start", "paused", "refused"],
    ["start", "unreachable", "refused"],
    ["shutdown", "stopped", "unchanged"],
    ["shutdown", "running", "applied"],
    ["shutdown", "paused", "refused"],
    ["destroy", "stopped", "unchanged"],
    ["destroy", "unreachable", "applied"],
    ["suspend", "paused", "unchanged"],
    ["suspend", "stopped", "refused"],
    ["resume", "running", "unchanged"],
    ["resume", "paused", "applied"],
    ["resume", "stopped", "refused"],
    ["reset", "stopped", "refused"],
    ["restart", "stopped", "applied"],
    ["undefine", "running", "refused"],
    ["undefine", "stopped", "applied"],
    ["start", "damaged", "refused"],
  ] as const)("%s of one that is %s: %s", async (verb, state, outcome) => {
    const fleet = fakes({ kvm1: { web1: { info: async () => infoOf(state), [verb]: async () => undefined } } });
    const report = await workOverFleet(
      fleet.crew,
      domainWork("web1", { dryRun: false, run: (domain) => domain[verb]({}) as Promise<unknown> }),
    );
    expect(told(report)).toEqual([`kvm1/web1 ${outcome}`]);
    expect(fleet.calls.includes(`kvm1/web1: ${verb}`)).toBe(outcome === "applied");
  });

  const actions = Object.entries(DOMAIN_CALLS).filter(([, { writes, begins }]) => writes && !begins);
  test.each(actions.map(([name]) => name))("%s can be planned: what a machine has to be like for it is known", async (name) => {
    const fleet = fakes({ kvm1: { web1: { [name]: async () => undefined } } });
    const run = (domain: object): Promise<unknown> =>
      (domain as Readonly<Record<string, (options: object) => Promise<unknown>>>)[name]?.({}) as Promise<unknown>;
    const report = await workOverFleet(fleet.crew, domainWork("web1", { dryRun: false, run }));
    expect(report.targets[0]?.error?.message ?? "").not.toContain("can't be planned");
  });

  test("one that was interrupted in the middle of another is refused", async () => {
    const fleet = fakes({
      kvm1: {
        web1: { info: async () => ({ ...infoOf("stopped"), interrupted: "a start was interrupted" }), start: async () => ({}) as never },
      },
    });
    const report = await workOverFleet(fleet.crew, domainWork("web1", { dryRun: false, run: (domain) => domain.start({}) }));
    expect(report.targets[0]?.error?.message).toContain("resolve it first: qmpctl recover web1");
  });
});

test("each host has a connection at a time, and many hosts none that is not needed", async () => {
  const few = fakes(Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`kvm${at}`, { web1: obeys }])));
  await change(few, "web1", { atOnce: 3 });
  expect(few.links).toEqual({ now: 0, most: 20 });
  const many = fakes(Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`kvm${at}`, { web1: obeys }])));
  const report = await change(many, "web1", { atOnce: 7 });
  expect([report.targets.length, many.links]).toEqual([200, { now: 0, most: 7 }]);
});
