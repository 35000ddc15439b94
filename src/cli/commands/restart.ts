import { domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["restart DOMAIN"],
  summary: "shut the guest down and start it again from its launch config",
  details: [
    "One that is stopped is started. A guest that reboots itself keeps its QEMU and sees no static change: this is how it gets them.",
  ],
  options: waitOption("how long all of it may take, the shutdown and the start (2 min unless given)"),
  operands: domainOnly,
  run: (call) => lifecycle(call, async (domain, options) => started(await domain.restart(options))),
});
