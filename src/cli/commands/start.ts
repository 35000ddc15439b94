import { answerOf, answerOptions, domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["start DOMAIN"],
  section: "power",
  summary: "start the machine from its launch config",
  details: [
    "The machine goes on when this command ends. Pins and the memory target are set before its first instruction.",
    "With --wait or --wait-for the command ends when the guest is up. If it is not by the deadline, the exit code is 5 (pending), what was seen is told, and the machine runs on.",
    "A console can be read that is a file, or that has a log (logfile=).",
  ],
  examples: [
    ["start web1", "start it; its guest may boot for a while yet"],
    ["start web1 --paused", "stop before the guest's first instruction; resume lets it go on"],
    ["start web1 --wait-for 'login:'", "until it asks on its console who logs in"],
  ],
  options: {
    paused: { about: "start with its vCPUs paused; `resume` lets them run" },
    ...answerOptions,
    ...waitOption("how long it may take to come up (default: 60 s; for its guest too: 5 min)"),
  },
  operands: domainOnly,
  run: (call) => {
    const how = { paused: call.args.flag("paused"), ...answerOf(call.args) };
    return lifecycle(call, async (domain, options) => started(await domain.start({ ...options, ...how })));
  },
});
