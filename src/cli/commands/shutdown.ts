import { showDuration } from "../duration.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["shutdown DOMAIN"],
  summary: "ask the guest to shut down, and wait until it has",
  details: ["Ends with 5 (pending) when the guest has not gone by the deadline: it stays asked to. `destroy` does not ask."],
  options: waitOption("how long the guest may take (60 s unless given)"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      const report = await domain.shutdown(options);
      return { json: report, lines: [`${report.name}: ${report.how} after ${showDuration(report.elapsed)}`] };
    }),
});
