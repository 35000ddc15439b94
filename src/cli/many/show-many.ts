import { STYLES } from "../fleet/show-fleet.ts";
import { summaryOf } from "../fleet/show-fleet.ts";
import { wordsOf } from "../fleet/words-of-target.ts";
import { flow, painter, table } from "../output.ts";
import type { Call } from "../verb.ts";
import type { ManyReport } from "./many-report.ts";

/** A report for people: a line for each file, with its notes and the commands that it needs. */
export function showMany(report: ManyReport, { io, many, host = "" }: Pick<Call, "io" | "many" | "host">): void {
  const { columns } = io.stdout;
  const paint = painter(io.stdout, io.env);
  for (const target of report.targets) {
    const { domain, outcome } = target;
    const text = flow(`${domain}: ${wordsOf({ ...target, host }, { verb: "apply", address: host })}`, columns);
    io.stdout.write(text.replace(`: ${outcome}`, () => `: ${paint(outcome, STYLES[outcome])}`));
    for (const note of [...(target.report?.notes ?? []), ...(target.notes ?? [])]) io.stdout.write(flow(`  note: ${note}`, columns));
    const commands = [
      ["  to finish it:", target.finish],
      ["  to undo it:", target.takeBack],
    ].flatMap(([title = "", command]) => (command === undefined ? [] : [[title, command]]));
    io.stdout.write(table(commands, { columns }));
  }
  if (report.skipped.length > 0)
    io.stderr.write(flow(`note: skipped, as no file DOMAIN.json: ${report.skipped.join(", ")}`, io.stderr.columns));
  const targets = report.targets.map((target) => ({ ...target, host }));
  const summary = summaryOf({ ...report, targets, unmatched: [] }, { io, wherePossible: many?.wherePossible === true });
  if (summary !== undefined) io.stderr.write(flow(`qmpctl: ${summary}`, io.stderr.columns));
}
