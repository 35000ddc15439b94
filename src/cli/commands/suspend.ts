import { done } from "../answer.ts";
import { domainOnly, lifecycle, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["suspend DOMAIN"],
  section: "power",
  summary: "pause the machine's vCPUs; its memory stays as it is",
  examples: [
    ["suspend web1", "the guest stands still until resume"],
    ["-H kvm1 suspend web1", "on another host"],
  ],
  options: waitOption("how long QEMU may take to answer"),
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (domain, options) => {
      await domain.suspend(options);
      return done(domain.name, "suspended");
    }),
});
