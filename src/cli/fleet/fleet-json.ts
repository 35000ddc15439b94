import type { FleetReport, FleetTarget } from "../../remote/fleet/target.ts";
import { evidenceOf } from "../failure.ts";

/** A report for programs: the same data, and errors by their evidence. */
export function fleetJson({ targets, ...rest }: FleetReport): object {
  return { ...rest, targets: targets.map(targetJson) };
}

function targetJson({ error, ...target }: FleetTarget): object {
  if (error === undefined) return target;
  // The report is there once.
  const { report: _, ...evidence } = evidenceOf(error);
  return { ...target, error: evidence };
}
