import type { ChangeReport, Report } from "../domain/change/change-report.ts";
import type { Leg, LegOutcome, StepReport, Value } from "../domain/model/change.ts";
import { nameOf, unitOf } from "../domain/resources/registry.ts";
import { oneLine } from "./harmless.ts";
import { hostCell, hostLines } from "./host-memory.ts";
import { lineDiff } from "./line-diff.ts";
import { type Cell, flow, noteLine, type Paint, painter, showSize, type Style, table } from "./output.ts";
import type { Io } from "./verb.ts";

const colours: Readonly<Record<LegOutcome, Style>> = {
  applied: "green",
  unchanged: "dim",
  skipped: "dim",
  pending: "yellow",
  "rolled-back": "red",
  failed: "red",
};

/**
 * A report for people: a table with both halves of each change, what a dry run would do, notes, and the next commands.
 * Each reason appears once, and not at all if `said` has it already.
 */
export function showReport(report: Report, io: Io, said = ""): string {
  const paint = painter(io.stdout, io.env);
  const parts = [halves(report, io, paint, said)];
  if (report.outcome === "planned") parts.push(plan(report, io, paint));
  parts.push(report.notes.map((note) => noteLine(note, io.stdout.columns)).join(""), next(report, io.stdout.columns));
  return parts.filter((part) => part !== "").join("\n");
}

function halves(report: Report, io: Io, paint: Paint, said: string): string {
  const planned = report.outcome === "planned";
  const { touched, untouched } = sorted(report.changes);
  const told = new Set<string>();
  const once = (reason: string | undefined): string => {
    if (reason === undefined || told.has(reason) || said.includes(reason)) return "";
    told.add(reason);
    return reason;
  };
  const withHost = (which: "static" | "dynamic", change: ChangeReport): readonly Cell[] | undefined => {
    const cells = row(change, which, planned, once);
    return cells === undefined || report.host === undefined ? cells : cells.toSpliced(HOST, 0, hostCell(change, which, report));
  };
  const rows = touched
    .flatMap((change) => [withHost("static", change), withHost("dynamic", change)])
    .filter((cells) => cells !== undefined);
  if (rows.length === 0) return report.outcome === "unchanged" ? "nothing to change\n" : "";
  const all = ["resource", "half", "before -> wanted", "actual", "outcome", "why"];
  const header = report.host === undefined ? all : all.toSpliced(HOST, 0, "host");
  const shown = rows.some((cells) => cells.at(-1) !== "") ? header.length : header.length - 1;
  const cut = rows.map((cells) => cells.slice(0, shown));
  const { columns } = io.stdout;
  return table(cut, { header: header.slice(0, shown), titles: 2, paint, columns }) + untouched + hostLines(report, columns);
}

/** Where the column `host` goes, if there is one. */
const HOST = 4;

/** Splits many changes into those with something to say, which get rows, and the others, which share one line. */
function sorted(changes: readonly ChangeReport[]): { readonly touched: readonly ChangeReport[]; readonly untouched: string } {
  const touched = changes.filter((it) =>
    [it.static, it.dynamic].some((half) => isWanted(half) || !["unchanged", "skipped"].includes(half.outcome)),
  );
  if (touched.length === 0 || touched.length === changes.length) return { touched: changes, untouched: "" };
  const others = changes.filter((it) => !touched.includes(it)).map(({ change }) => nameOf(change));
  return { touched, untouched: `unchanged: ${others.join(", ")}\n` };
}

/** `undefined` for a half that is out of scope and has nothing to show, such as the live half of a stopped domain. */
function row(
  { change, ...halves }: ChangeReport,
  which: "static" | "dynamic",
  planned: boolean,
  once: (reason: string | undefined) => string,
): readonly Cell[] | undefined {
  const half = halves[which];
  if (half.outcome === "skipped" && half.reason === undefined && half.actual === null) return undefined;
  const name = nameOf(change);
  const [before, wanted] = showBoth(change.resource, [half.before, half.wanted]);
  const [, actual] = showBoth(change.resource, [isWanted(half) ? half.wanted : half.before, half.actual]);
  const outcome: Cell =
    planned && isWanted(half) && half.reason === undefined
      ? { text: "planned", style: "bold" }
      : { text: half.outcome, style: colours[half.outcome] };
  return [name, which, isWanted(half) ? `${before} -> ${wanted}` : before, actual, outcome, once(half.reason)];
}

// Nothing is wanted of a half that is out of scope.
function isWanted({ before, wanted }: Leg): boolean {
  return wanted !== null && wanted !== before;
}

/** A value of a resource for people. `-` if there is none. */
export function showValue(resource: string, value: Value): string {
  if (value === null) return "-";
  const unit = typeof value === "number" ? unitOf(resource) : null;
  return unit === "bytes" ? showSize(Number(value)) : unit === "seconds" ? `${value} s` : String(value);
}

/** Two values of a resource that differ. Of a device its driver is enough, unless only its other words differ. */
export function showBoth(resource: string, values: readonly [Value, Value]): readonly [string, string] {
  const [one, other] = values.map((value) => showValue(resource, value)) as [string, string];
  if (!resource.startsWith("device")) return [one, other];
  const short = [driverOf(one), driverOf(other)] as const;
  return short[0] === short[1] && one !== other ? [one, other] : short;
}

function driverOf(words: string): string {
  return /(?:^|\s)-device '?([\w.-]+)/.exec(words)?.[1] ?? words;
}

function plan(report: Report, { stdout: { columns } }: Io, paint: Paint): string {
  const lines = ["dry run: nothing was touched\n"];
  if (report.steps.length > 0)
    lines.push(
      flow(`would do on the ${report.state === "stopped" ? "images of the stopped" : "running"} machine, in this order:`, columns),
      ...report.steps.map((it, index) => step(it, index, columns)),
    );
  const { config } = report;
  if (config !== undefined && config.before !== config.after) {
    lines.push(flow(`would write ${config.path}:`, columns));
    for (const line of lineDiff(config.before, config.after))
      lines.push(`  ${paint(oneLine(line), line.startsWith("-") ? "red" : "green")}\n`);
  }
  return lines.join("");
}

function step({ what, sends, undo, noUndo }: StepReport, index: number, columns?: number): string {
  const back = undo === undefined ? `can't be undone${noUndo === undefined ? "" : `: ${noUndo}`}` : `undo: ${undo}`;
  return flow(`  ${index + 1}. ${what}`, columns) + flow(`     ${sends}`, columns) + flow(`     ${back}`, columns);
}

function next({ finish, takeBack }: Report, columns: number | undefined): string {
  const commands: string[][] = [];
  if (finish !== undefined) commands.push(["to finish it:", finish]);
  if (takeBack !== undefined) commands.push(["to undo it:", takeBack]);
  return table(commands, { columns });
}
