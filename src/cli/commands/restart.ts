import { answerOf, answerOptions, domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["restart DOMAIN"],
  section: "power",
  summary: "shut the guest down and start it again from its launch config",
  details: [
    "A stopped domain is just started.",
    "If a guest reboots by itself, its QEMU goes on and static changes still wait. A restart applies them.",
  ],
  examples: [
    ["restart web1", "what the config says by now counts after that"],
    ["restart web1 --timeout 5m", "for a guest that takes long to shut down"],
  ],
  options: { ...answerOptions, ...waitOption("how long shutdown and start may take together (default: 2 min; with a wait 5 min)") },
  operands: domainOnly,
  run: (call) => {
    const wait = answerOf(call.args);
    return lifecycle(call, async (domain, options) => started(await domain.restart({ ...options, ...wait })));
  },
});
