import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["vcpusched DOMAIN VCPU POLICY"],
  section: "vcpus",
  summary: "set the scheduling policy of a vCPU",
  details: [
    "vCPUs count from 0.",
    "POLICY is other (the usual one), batch, idle, or fifo:N or rr:N with a priority N from 1 to 99. Those two need CAP_SYS_NICE, and run before all others: a thread that never sleeps starves the host. Without that right, idle can't be taken back.",
  ],
  examples: [
    ["vcpusched web1 0 batch", "vCPU 0, now"],
    ["vcpusched web1 0 fifo:1 --static", "at the next start"],
    ["vcpusched web1 0 batch --for 8h", "vCPU 0, for eight hours"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "VCPU", "POLICY"], required: 3 },
  run(call) {
    const vcpu = parseCount(call.args.operand(1), "VCPU");
    const policy = call.args.operand(2);
    return change(call, (domain, options) => domain.change({ resource: "vcpu-sched", vcpu, policy }, options));
  },
});
