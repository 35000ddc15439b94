import { domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["start DOMAIN"],
  summary: "start the machine as its launch config says",
  details: ["The machine outlives this command. Pins and the memory target are in place before its first instruction runs."],
  options: {
    paused: { about: "do not let its vCPUs go: `resume` does" },
    ...waitOption("how long it may take to come up (60 s unless given)"),
  },
  operands: domainOnly,
  run: (call) => lifecycle(call, async (domain, options) => started(await domain.start({ ...options, paused: call.args.flag("paused") }))),
});
