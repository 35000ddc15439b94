import { change, effortOptions } from "../change.ts";
import { resourceOf } from "../resource.ts";
import type { Verb } from "../verb.ts";

const resources = ["memory", "max-memory", "vcpus", "max-vcpus", "vcpu-pin"] as const;

export const verb: Verb = {
  usage: ["persist DOMAIN [RESOURCE]"],
  summary: "make the config equal to the running machine",
  details: ["Of one RESOURCE where one is named: memory, max-memory, vcpus, max-vcpus or vcpu-pin."],
  options: effortOptions,
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1, words: resources },
  run(call) {
    const resource = resourceOf(call.args, resources);
    return change(call, (machine, { scope: _, ...options }) =>
      machine.persist({ ...options, ...(resource === undefined ? {} : { resource }) }),
    );
  },
};
