import type { Report } from "../../domain/change/change-report.ts";
import type { RecoveryReport } from "../../domain/lifecycle/recover.ts";
import type { Outcome } from "../../domain/model/change.ts";
import { shellWord } from "../../domain/model/format.ts";
import { isErrorCode, QmpctlError } from "../../errors.ts";
import { LostError, UnreachableError } from "../errors.ts";
import type { Member } from "./member.ts";
import type { FleetTarget, TargetOutcome } from "./target.ts";

/** What is known of how one target ended: all but whose it is. */
export type Ended = Omit<FleetTarget, "host" | "domain">;

/** A report as a fleet keeps it: the config's texts are long, and there are many. */
export function slim(report: Report, keepsTexts: boolean): Report {
  if (keepsTexts || report.config === undefined) return report;
  const { config: _, ...rest } = report;
  return rest;
}

/** Whether a planned change finds all as it is wanted: each half that is asked for has it already, and no end of it moves. */
export function isAsWanted({ changes, end }: Report): boolean {
  if (end !== undefined) return false;
  return changes.every((each) => [each.static, each.dynamic].every(({ outcome, wanted }) => outcome === "unchanged" || wanted === null));
}

/** What is done stays: the way back of a target that is as it is wanted is nobody's need. */
export function withoutWayBack<T extends Ended>(target: T): T | Omit<T, "takeBack"> {
  if (target.outcome !== "applied") return target;
  const { takeBack: _, report, ...rest } = target;
  if (report === undefined) return rest as Omit<T, "takeBack">;
  const { takeBack: _back, ...told } = report;
  return { ...rest, report: told } as Omit<T, "takeBack">;
}

/** How a call that changes something ended well. `name`: of the call. */
export function endedWell(name: string, value: unknown, at: string): Ended {
  if (name === "recover") return { outcome: worstOf((value as RecoveryReport).reports), value };
  const report = value as Partial<Report> | null | undefined;
  if (report?.outcome !== undefined && report.changes !== undefined) {
    const { finish, takeBack, outcome } = report;
    const commands = { ...(finish === undefined ? {} : { finish }), ...(takeBack === undefined ? {} : { takeBack }) };
    return { outcome, report: slim(report as Report, false), ...commands };
  }
  const back = BACK[name];
  return {
    outcome: "applied",
    ...(value == null ? {} : { value }),
    ...(back === undefined ? {} : { takeBack: `qmpctl ${back} ${shellWord(at)}` }),
  };
}

/** The action that takes another one back. */
const BACK: Readonly<Record<string, string>> = {
  start: "shutdown",
  shutdown: "start",
  destroy: "start",
  suspend: "resume",
  resume: "suspend",
  define: "undefine",
};

const WORST: readonly Outcome[] = ["failed", "refused", "rolled-back", "pending"];

function worstOf(reports: readonly Report[]): Outcome {
  return WORST.find((outcome) => reports.some((report) => report.outcome === outcome)) ?? "applied";
}

/** Whether a call may have changed something, and if so whether it has a key by which its outcome is kept. */
export type Begun = "no" | "with a key" | "without a key";

/** How a call ended that threw. `begun`: whether it was to change something; until then an error is a refusal. */
export function endedBadly(
  thrown: unknown,
  { member, signal, begun }: { readonly member: Member; readonly signal: AbortSignal | undefined; readonly begun: Begun },
): Ended {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error instanceof LostError) return lost(error, member, begun);
  if (error instanceof UnreachableError) return { outcome: "unreachable", error };
  const report = error instanceof QmpctlError && "report" in error ? (error.report as Report) : undefined;
  if (report?.outcome !== undefined) {
    const { finish, takeBack } = report;
    return {
      outcome: report.outcome,
      error,
      report: slim(report, false),
      ...(finish === undefined ? {} : { finish }),
      ...(takeBack === undefined ? {} : { takeBack }),
    };
  }
  if (signal?.aborted === true && (thrown === signal.reason || !(error instanceof QmpctlError))) return { outcome: "interrupted", error };
  return { outcome: outcomeOf(error, begun), error };
}

function outcomeOf(error: Error, begun: Begun): TargetOutcome {
  if (begun === "no" || isErrorCode(error, "refused", "config", "locked", "usage")) return "refused";
  if (isErrorCode(error, "partial")) return "failed";
  if (isErrorCode(error, "rolled-back")) return "rolled-back";
  return isErrorCode(error, "timeout") ? "pending" : "error";
}

/**
 * The connection went, and a second one did not tell what became of it, or told that it has to be resolved. Of what has a key, no key means
 * that it never began.
 */
function lost(error: LostError, { address }: Member, begun: Begun): Ended {
  if (begun === "no" || (begun === "with a key" && error.key === null)) return { outcome: "unreachable", error };
  if (error.key === null) return { outcome: "lost", error };
  return { outcome: "lost", error, key: error.key, finish: `qmpctl -H ${shellWord(address)} outcome ${error.key}` };
}
