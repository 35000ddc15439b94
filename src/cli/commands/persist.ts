import { change, effortOptions } from "../change.ts";
import { resourceOf } from "../resource.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["persist DOMAIN [RESOURCE]"],
  summary: "make the config equal to the running machine",
  details: ["Of one RESOURCE where one is named: memory, max-memory, vcpus, max-vcpus or vcpu-pin."],
  options: effortOptions,
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1 },
  run(call) {
    const resource = resourceOf(call.args, ["memory", "max-memory", "vcpus", "max-vcpus", "vcpu-pin"]);
    return change(call, (machine, { scope: _, ...options }) => machine.persist({ ...options, ...(resource === undefined ? {} : { resource }) }));
  },
};
