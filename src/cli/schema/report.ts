import type { ChangeReport, Report, ReportEnd } from "../../domain/change/change-report.ts";
import type { HostMemoryChange } from "../../domain/facts/host-memory-change.ts";
import type { HostMemory } from "../../domain/facts/host-part.ts";
import type { Leg, LegOutcome, Outcome, Refusal, Scope, StepReport, Value } from "../../domain/model/change.ts";
import type { DomainState } from "../../domain/model/run-state.ts";
import { type Change, kindOf, RESOURCES } from "../../domain/resources/registry.ts";
import { either, like, list, nullable, number, object, optional, type Shape, string, words } from "../../shape.ts";

const STATES: Readonly<Record<DomainState, true>> = {
  ...{ running: true, paused: true, stopped: true, unreachable: true, suspended: true, shutdown: true, "guest-panicked": true },
  ...{ "internal-error": true, "io-error": true, watchdog: true, debug: true, inmigrate: true, postmigrate: true },
  ...{ "finish-migrate": true, "save-vm": true, "restore-vm": true, colo: true, preconfig: true },
};

/** The state of a domain. */
export const state: Shape<DomainState> = words<DomainState>(STATES);

/** A resource's value. */
export const value: Shape<Value> = nullable(either(number, string));

/** How one half of a change ended. */
export const legOutcome: Shape<LegOutcome> = words<LegOutcome>({
  ...{ unchanged: true, applied: true, pending: true, "rolled-back": true, failed: true, skipped: true },
});

const leg = like<Leg>({
  outcome: legOutcome,
  before: value,
  wanted: value,
  actual: value,
  reason: optional(string),
});

// Each resource has members of its own, as a record of a change is checked for them.
const changes = RESOURCES.map((resource): Shape<unknown> => {
  const members = Object.entries(kindOf({ resource }).members).map(([name, type]) => [name, type === "number" ? number : string]);
  return object({ resource: words({ [resource]: true }), ...(Object.fromEntries(members) as Readonly<Record<string, Shape<unknown>>>) });
});
const change: Shape<Change> = {
  fits: (value): value is Change => changes.some(({ fits }) => fits(value)),
  faults: (value, path) => [{ path, why: "no change of a resource" }].filter(() => !changes.some(({ fits }) => fits(value))),
  schema: () => ({ anyOf: changes.map(({ schema }) => schema()) }),
};

const step = like<StepReport>({
  what: string,
  sends: string,
  undo: optional(string),
  noUndo: optional(string),
  outcome: words({ planned: true, done: true, pending: true, failed: true, undone: true, "undo-failed": true, skipped: true }),
  reason: optional(string),
});

/** What QEMU has of the host's memory. */
export const hostMemory: Shape<HostMemory> = like<HostMemory>({
  resident: number,
  share: nullable(number),
  swapped: number,
  huge: number,
  transparentHuge: nullable(number),
  locked: number,
  pinned: number,
  denied: optional(string),
  cgroup: optional(object({ path: string, charged: number })),
  keepers: optional(list(string)),
});

/** Which halves a change is for. */
export const scope: Shape<Scope> = words<Scope>({ current: true, static: true, dynamic: true, both: true });

/** How the whole of a change ended. */
export const outcome: Shape<Outcome> = words<Outcome>({
  ...{ planned: true, unchanged: true, applied: true, pending: true, "rolled-back": true, failed: true, refused: true },
});

/** The answer to a change. */
export const report: Shape<Report> = like<Report>({
  domain: string,
  scope,
  state,
  outcome,
  changes: list(like<ChangeReport>({ change, static: leg, dynamic: leg })),
  steps: list(step),
  host: optional(like<HostMemoryChange>({ before: hostMemory, after: hostMemory, givenUp: number, freed: number, why: list(string) })),
  hostDenied: optional(string),
  refusals: list(like<Refusal>({ leg: words({ static: true, dynamic: true, domain: true }), reason: string, instead: optional(string) })),
  notes: list(string),
  end: optional(like<ReportEnd>({ key: nullable(string), until: string, timer: string })),
  toResolve: optional(string),
  finish: optional(string),
  takeBack: optional(string),
  config: optional(object({ path: string, before: string, after: string })),
  elapsed: number,
});
