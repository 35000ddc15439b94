import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setvcpus DOMAIN COUNT"],
  summary: "change how many vCPUs the guest has; --maximum: can have",
  details: ["vCPUs of a running machine are plugged and unplugged; those the guest has not let go by the deadline are `pending`."],
  options: {
    maximum: { about: "change the most it can have; QEMU fixes it at the start, so on a running machine this takes --static" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "COUNT"], required: 2 },
  run(call) {
    const count = parseCount(call.args.operand(1), "COUNT");
    const resource = call.args.flag("maximum") ? "max-vcpus" : "vcpus";
    return change(call, (domain, options) => domain.change({ resource, count }, options));
  },
});
