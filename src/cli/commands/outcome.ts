import type { Report } from "../../domain/change/change-report.ts";
import { printAs } from "../answer.ts";
import { EXIT, exitCodeOf } from "../exit-code.ts";
import { oneLine } from "../harmless.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["outcome KEY"],
  summary: "what became of a change whose connection was lost",
  details: [
    "A change on another host goes on there when the connection to it is lost. Its outcome is kept there for a day, by the key that the message of the loss has. After a restart of that host it is gone.",
    "done and failed show the report, and end with its exit code. interrupted: it had begun, and its process ended there; recover resolves it. unknown: it never began, and nothing was touched; or it is too long ago.",
  ],
  options: {},
  operands: { names: ["KEY"], required: 1 },
  async run(call) {
    const { args, io, facade } = call;
    const outcome = await facade.outcome(args.operand(0), { signal: io.signal });
    const { showReport } = await import("../report.ts");
    const report = outcome.state === "done" ? (outcome.value as Partial<Report> | null) : null;
    const isReport = report?.outcome !== undefined && report.changes !== undefined;
    printAs(call, outcome, ({ state, ...rest }) =>
      isReport ? showReport(report as Report, io) : `${state}${"failure" in rest ? `: ${oneLine(rest.failure.message)}` : ""}\n`,
    );
    if (isReport) return exitCodeOf(report as Report);
    return outcome.state === "done"
      ? EXIT.done
      : outcome.state === "failed"
        ? EXIT.failed
        : outcome.state === "unknown"
          ? EXIT.refused
          : EXIT.partial;
  },
});
