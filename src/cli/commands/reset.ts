import { done } from "../answer.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["reset DOMAIN"],
  section: "power",
  summary: "turn the machine off and on at once; no config is read again",
  examples: [
    ["reset web1", "the same QEMU boots its guest again"],
    ["-H kvm1 reset web1", "on another host"],
  ],
  options: waitOption("how long QEMU may take to answer"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      await domain.reset(options);
      return done(domain.name, "reset");
    }),
});
