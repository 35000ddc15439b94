import { domainOnly, lifecycle, started, waitOption } from "../lifecycle.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["restart DOMAIN"],
  summary: "shut the guest down and start it again from its launch config",
  details: ["A guest that reboots itself keeps its QEMU and sees no static change: this is how it gets them."],
  options: waitOption("how long the guest may take to shut down (60 s unless given)"),
  operands: domainOnly,
  run: (call) => lifecycle(call, async (machine, options) => started(await machine.restart(options))),
};
