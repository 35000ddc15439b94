import { showDuration } from "../duration.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["shutdown DOMAIN"],
  section: "power",
  summary: "ask the guest to shut down, and wait until it has",
  details: [
    "If the guest is still up at the deadline, the exit code is 5 (pending). The guest may still shut down later.",
    "`destroy` ends the machine without asking the guest.",
  ],
  examples: [
    ["shutdown web1", "press its power button, and wait"],
    ["shutdown web1 --timeout 5m", "for a guest that takes long"],
  ],
  options: waitOption("how long the guest may take (default: 60 s)"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      const report = await domain.shutdown(options);
      return { json: report, lines: [`${report.name}: ${report.how} after ${showDuration(report.elapsed)}`] };
    }),
});
