import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setvcpus DOMAIN COUNT"],
  section: "allocation",
  summary: "change how many vCPUs the guest has; --maximum: can have",
  details: ["On a running machine, vCPUs are plugged and unplugged. A vCPU that the guest has not released by the deadline is `pending`."],
  options: {
    maximum: { about: "change the most that the guest can have; on a running machine this needs --static and applies at the next start" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "COUNT"], required: 2 },
  run(call) {
    const count = parseCount(call.args.operand(1), "COUNT");
    const resource = call.args.flag("maximum") ? "max-vcpus" : "vcpus";
    return change(call, (domain, options) => domain.change({ resource, count }, options));
  },
});
