import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["destroy DOMAIN"],
  section: "power",
  summary: "end the machine without asking the guest; the config stays",
  examples: [
    ["destroy web1", "as if its plug were pulled"],
    ["-H kvm1 destroy web1", "on another host"],
  ],
  options: waitOption("how long QEMU may take to end"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      const report = await domain.destroy(options);
      return { json: report, lines: [`${report.name}: ${report.how}`] };
    }),
});
