import { done } from "../answer.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["resume DOMAIN"],
  section: "power",
  summary: "let a suspended machine run again",
  options: waitOption("how long QEMU may take to answer"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      await domain.resume(options);
      return done(domain.name, "resumed");
    }),
});
