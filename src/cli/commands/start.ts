import { domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["start DOMAIN"],
  section: "power",
  summary: "start the machine from its launch config",
  details: ["The machine goes on when this command ends. Pins and the memory target are set before its first instruction."],
  examples: [
    ["start web1", "start it, and wait until its guest runs"],
    ["start web1 --paused", "stop before the guest's first instruction; resume lets it go on"],
  ],
  options: {
    paused: { about: "start with its vCPUs paused; `resume` lets them run" },
    ...waitOption("how long it may take to come up (default: 60 s)"),
  },
  operands: domainOnly,
  run: (call) => lifecycle(call, async (domain, options) => started(await domain.start({ ...options, paused: call.args.flag("paused") }))),
});
