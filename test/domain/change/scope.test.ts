import { describe, expect, test } from "vitest";
import { planOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { halvesOf, missingSides } from "../../../src/domain/change/scope.ts";
import type { DomainState, Scope } from "../../../src/domain/model/change.ts";

/** What becomes of a half: touched, left alone, or refused. */
type Half = "yes" | "-" | "refused";

/** The halves (static, dynamic) of each scope, for a domain with a config and for a transient one. Source: the table of SCOPES.md. */
const TABLE: readonly (readonly [
  Scope,
  DomainState,
  { readonly defined: readonly [Half, Half]; readonly transient: readonly [Half, Half] },
])[] = [
  ["current", "running", { defined: ["-", "yes"], transient: ["-", "yes"] }],
  ["current", "paused", { defined: ["-", "yes"], transient: ["-", "yes"] }],
  ["current", "stopped", { defined: ["yes", "-"], transient: ["refused", "-"] }],
  ["current", "unreachable", { defined: ["-", "refused"], transient: ["-", "refused"] }],
  ["static", "running", { defined: ["yes", "-"], transient: ["refused", "-"] }],
  ["static", "paused", { defined: ["yes", "-"], transient: ["refused", "-"] }],
  ["static", "stopped", { defined: ["yes", "-"], transient: ["refused", "-"] }],
  ["static", "unreachable", { defined: ["yes", "-"], transient: ["refused", "-"] }],
  ["dynamic", "running", { defined: ["-", "yes"], transient: ["-", "yes"] }],
  ["dynamic", "paused", { defined: ["-", "yes"], transient: ["-", "yes"] }],
  ["dynamic", "stopped", { defined: ["-", "refused"], transient: ["-", "refused"] }],
  ["dynamic", "unreachable", { defined: ["-", "refused"], transient: ["-", "refused"] }],
  ["both", "running", { defined: ["yes", "yes"], transient: ["refused", "yes"] }],
  ["both", "paused", { defined: ["yes", "yes"], transient: ["refused", "yes"] }],
  ["both", "stopped", { defined: ["yes", "refused"], transient: ["refused", "refused"] }],
  ["both", "unreachable", { defined: ["yes", "refused"], transient: ["refused", "refused"] }],
];

function halves(scope: Scope, state: DomainState, transient: boolean): readonly [Half, Half] {
  const halves = halvesOf(scope, { name: "web1", state, transient });
  const half = (leg: "static" | "dynamic"): Half => (!halves[leg] ? "-" : halves.refusals.some((it) => it.leg === leg) ? "refused" : "yes");
  return [half("static"), half("dynamic")];
}

describe("the table of scopes", () => {
  test.each(TABLE)("%s on a %s domain", (scope, state, expected) => {
    expect({ defined: halves(scope, state, false), transient: halves(scope, state, true) }).toEqual(expected);
  });

  test("is whole: each scope with each state, once", () => {
    expect(new Set(TABLE.map(([scope, state]) => `${scope} ${state}`)).size).toBe(16);
  });

  test("leaves no half to chance: a change touches a half or is refused", () => {
    for (const [scope, state] of TABLE) {
      for (const transient of [false, true]) expect(halves(scope, state, transient)).not.toEqual(["-", "-"]);
    }
  });
});

describe("a refusal says what would work", () => {
  const insteadOf = (scope: Scope, state: DomainState, transient = false, why?: string): readonly (string | undefined)[] =>
    halvesOf(scope, { name: "web1", state, transient, why }).refusals.map(({ instead }) => instead);

  test("start, or the config, where it does not run", () => {
    expect(insteadOf("dynamic", "stopped")).toEqual(["qmpctl start web1, or --static"]);
    expect(insteadOf("both", "stopped")).toEqual(["--static alone changes what the next start uses"]);
  });

  test("no start at once, where that would be refused too", () => {
    const why = "its monitor is that of web2";
    expect(insteadOf("dynamic", "stopped", false, why)).toEqual(["qmpctl start web1 when that is out of the way, or --static"]);
    expect(missingSides({ name: "web1", state: "stopped", transient: false, why })).toMatchObject([
      { reason: `the machine is not running: ${why}`, instead: "qmpctl start web1 when that is out of the way" },
    ]);
  });

  test("the config of a machine that was addressed by its monitor", () => {
    const facts = { name: "unix:/run/x.sock", state: "running", transient: true, ownConfig: "/etc/q l/web1.json" } as const;
    const refusal = { leg: "static", reason: expect.stringContaining("its config is /etc/q l/web1.json") as string };
    const instead = "the same with '/etc/q l/web1.json' in the place of the address";
    for (const scope of ["static", "both"] as const)
      expect(halvesOf(scope, facts).refusals).toEqual([{ ...refusal, instead: `--dynamic, or ${instead}` }]);
    expect(missingSides(facts)).toEqual([{ ...refusal, instead }]);
  });

  test("never the config, where that could not be changed so", () => {
    const refused = (scope: Scope): unknown =>
      halvesOf(scope, { name: "web1", state: "stopped", transient: false, staticWorks: () => false }).refusals;
    for (const scope of ["dynamic", "both"] as const)
      expect(refused(scope)).toEqual([expect.objectContaining({ leg: "dynamic", instead: "qmpctl start web1" })]);
    // Which vCPUs a guest uses is kept nowhere.
    const stopped = stoppedFacts();
    const guest = planOf([{ resource: "guest-vcpus", count: 1, how: "exactly" }], "dynamic", stopped);
    expect(guest.refusals).toEqual([expect.objectContaining({ leg: "dynamic", instead: "qmpctl start web1" })]);
  });

  test("the config, where the monitor is busy", () => {
    expect(insteadOf("current", "unreachable")).toEqual(["--static alone changes what the next start uses"]);
    expect(insteadOf("dynamic", "unreachable")).toEqual(["try again when its monitor answers"]);
  });

  test("no config, where there is none", () => {
    expect(insteadOf("static", "running", true)).toEqual(["--dynamic, or `qmpctl define` it first"]);
    expect(insteadOf("current", "unreachable", true)).toEqual(["try again when its monitor answers"]);
  });

  test("and why a monitor does not answer", () => {
    const { refusals } = halvesOf("current", { name: "web1", state: "unreachable", transient: false, why: "another client may hold it" });
    expect(refusals[0]?.reason).toBe("the machine is unreachable, which is not stopped: another client may hold it");
  });
});

describe("making one side equal the other", () => {
  const missing = (state: DomainState, transient: boolean): readonly string[] =>
    missingSides({ name: "web1", state, transient }).map(({ leg }) => leg);

  test("takes both", () => {
    expect([missing("running", false), missing("paused", false)]).toEqual([[], []]);
    expect(missing("running", true)).toEqual(["static"]);
    expect(missing("stopped", false)).toEqual(["dynamic"]);
    expect(missing("unreachable", true)).toEqual(["static", "dynamic"]);
  });
});
