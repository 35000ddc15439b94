import { effortOptions, reported } from "../change.ts";
import { resourceOf } from "../resource.ts";
import { defineVerb, type Verb } from "../verb.ts";

const resources = ["memory", "vcpus", "vcpu-pin"] as const;

export const verb: Verb = defineVerb({
  usage: ["revert DOMAIN [RESOURCE]"],
  summary: "make the running machine equal to its config, without a restart",
  details: [
    "Of one RESOURCE where one is named: memory, vcpus or vcpu-pin. What can be reverted is, though something else of it can't: then it says what is left, and ends with 4.",
  ],
  options: effortOptions,
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1, words: resources },
  run(call) {
    const resource = resourceOf(call.args, resources);
    return reported(call, (domain, options) => domain.revert(resource === undefined ? options : { ...options, resource }));
  },
});
