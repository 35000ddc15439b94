import { domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["restart DOMAIN"],
  section: "power",
  summary: "shut the guest down and start it again from its launch config",
  details: [
    "A stopped domain is just started.",
    "If a guest reboots by itself, its QEMU goes on and static changes still wait. A restart applies them.",
  ],
  options: waitOption("how long shutdown and start may take together (default: 2 min)"),
  operands: domainOnly,
  run: (call) => lifecycle(call, async (domain, options) => started(await domain.restart(options))),
});
