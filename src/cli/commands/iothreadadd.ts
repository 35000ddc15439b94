import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["iothreadadd DOMAIN IOTHREAD"],
  section: "threads",
  summary: "add an iothread",
  details: [
    "The config gets the words -object iothread,id=IOTHREAD. On a running machine the iothread gets the CPUs and the policy that the config has for it. Without those it gets the usual ones: it does not inherit those of the main thread.",
  ],
  examples: [
    ["iothreadadd web1 io1", "to the running machine"],
    ["iothreadadd web1 io1 --both", "to the config too"],
    ["iothreadadd web1 io1 --for 8h", "for eight hours"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "IOTHREAD"], required: 2, kinds: { IOTHREAD: "NEW-ID" } },
  run(call) {
    const iothread = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "iothread", iothread, state: "present" }, options));
  },
});
