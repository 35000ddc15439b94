import { done } from "../answer.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["resume DOMAIN"],
  section: "power",
  summary: "let a suspended machine run again",
  examples: [
    ["resume web1", "let it go on, or wake it up if it sleeps"],
    ["-H kvm1 resume web1", "on another host"],
  ],
  options: waitOption("how long QEMU may take to answer"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      await domain.resume(options);
      return done(domain.name, "resumed");
    }),
});
