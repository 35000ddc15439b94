import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["iothreadadd DOMAIN IOTHREAD"],
  section: "allocation",
  summary: "add an iothread",
  details: [
    "The config gets the words -object iothread,id=IOTHREAD. On a running machine it gets its own CPUs and policy at once, from the config or the usual ones, as it would inherit those of the main thread.",
    "qmpctl iothreadadd web1 io1; qmpctl iothreadadd web1 io1 --both",
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "IOTHREAD"], required: 2 },
  run(call) {
    const iothread = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "iothread", iothread, state: "present" }, options));
  },
});
