import type { FleetOutcome, FleetReport, FleetTarget, TargetOutcome } from "../../remote/fleet/target.ts";
import { anything, like, list, nullable, number, object, optional, type Shape, string, words } from "../../shape.ts";
import { report } from "./report.ts";

/** A report over many hosts as it is printed: errors by their evidence. */
type Printed = Omit<FleetReport, "targets"> & {
  readonly targets: readonly (Omit<FleetTarget, "error"> & { readonly error?: { readonly code: string; readonly message: string } })[];
};

const outcome = words<FleetOutcome>({
  ...{ planned: true, done: true, pending: true, refused: true, partial: true, interrupted: true, failed: true },
});

const ended = {
  outcome: words<TargetOutcome>({
    ...{ planned: true, unchanged: true, applied: true, pending: true, "rolled-back": true, failed: true, error: true },
    ...{ refused: true, unreachable: true, lost: true, interrupted: true, "not-begun": true },
  }),
  report: optional(report),
  value: optional(anything),
  error: optional(object({ code: string, message: string })),
  notes: optional(list(string)),
  finish: optional(string),
  takeBack: optional(string),
  key: optional(string),
};

/** The answer of `apply` to files for several domains. */
export const files: Shape<unknown> = object({
  outcome,
  targets: list(object({ domain: string, file: string, ...ended })),
  skipped: list(string),
  elapsed: number,
});

/** The answer to a change or an action over many hosts. */
export const fleet: Shape<Printed> = like<Printed>({
  outcome,
  targets: list(
    like<Printed["targets"][number]>({
      host: string,
      domain: nullable(string),
      ...ended,
    }),
  ),
  unmatched: list(string),
  elapsed: number,
});
