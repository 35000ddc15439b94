import { change, changeOptions } from "../change.ts";

import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["iothreadsched DOMAIN IOTHREAD POLICY"],
  section: "threads",
  summary: "set the scheduling policy of an iothread",
  details: [
    "IOTHREAD is its id, as in -object iothread,id=io0. The config keeps a policy for an iothread that is not there yet.",
    "POLICY is other (the usual one), batch, idle, or fifo:N or rr:N with a priority N from 1 to 99. Those two need CAP_SYS_NICE, and run before all others: a thread that never sleeps starves the host. Without that right, idle can't be taken back.",
  ],
  examples: [
    ["iothreadsched web1 io0 rr:2", "now"],
    ["iothreadsched web1 io0 other --both", "the usual one, now and at the next start"],
    ["iothreadsched web1 io0 rr:2 --for 90s", "for 90 seconds"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "IOTHREAD", "POLICY"], required: 3 },
  run(call) {
    const [iothread, policy] = [call.args.operand(1), call.args.operand(2)];
    return change(call, (domain, options) => domain.change({ resource: "iothread-sched", iothread, policy }, options));
  },
});
