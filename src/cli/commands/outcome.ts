import type { Report } from "../../domain/change/change-report.ts";
import type { Ended } from "../../domain/facade.ts";
import { printAs } from "../answer.ts";
import { EXIT, exitCodeOf, exitCodeOfCode } from "../exit-code.ts";
import { oneLine } from "../harmless.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** The exit codes of outcomes that have no report. */
const CODES = { done: EXIT.done, "under-way": EXIT.pending, unknown: EXIT.refused, interrupted: EXIT.partial } as const;

/** The report of a change that was done, or failed; undefined if what ended has none, or it was not kept. */
function reportIn(outcome: Ended): Report | undefined {
  const found = outcome.state === "done" ? outcome.value : outcome.state === "failed" ? outcome.failure.evidence?.["report"] : undefined;
  const report = found as Partial<Report> | null | undefined;
  return report?.outcome !== undefined && report.changes !== undefined ? (report as Report) : undefined;
}

export const verb: Verb = defineVerb({
  usage: ["outcome KEY"],
  summary: "what became of a change whose connection was lost",
  details: [
    "A change on another host goes on there when the connection to it is lost. Its outcome is kept there for a day, by the key that the message of the loss has. After a restart of that host it is gone.",
    "done and failed show the report, and end with its exit code. under-way: it is later than it had to end, and its process is still there; ask again. interrupted: it had begun, and its process ended there; recover resolves it. unknown: it never began, and nothing was touched; or it is too long ago.",
  ],
  examples: [
    ["-H kvm1 outcome 2f1c7e0a-5b7e-4f0e-9d55-0d8f0a4d7c11", "the key is in the message of the loss"],
    ["-H kvm1 outcome 2f1c7e0a-5b7e-4f0e-9d55-0d8f0a4d7c11 --json", "the same for a program"],
  ],
  options: {},
  operands: { names: ["KEY"], required: 1, kinds: { KEY: "OUTCOME" } },
  async run(call) {
    const { args, io, facade } = call;
    const outcome = await facade.outcome(args.operand(0), { signal: io.signal });
    const { showReport } = await import("../report.ts");
    const report = reportIn(outcome);
    printAs(call, outcome, ({ state, ...rest }) => {
      const why = "failure" in rest ? `: ${oneLine(rest.failure.message)}` : "";
      return report === undefined ? `${state}${why}\n` : showReport(report, io, why === "" ? undefined : `qmpctl${why}`);
    });
    if (report !== undefined) return exitCodeOf(report);
    return outcome.state === "failed" ? exitCodeOfCode(outcome.failure.code) : CODES[outcome.state];
  },
});
