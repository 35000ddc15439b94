import { KINDS } from "../../domain/resources/kinds.ts";
import type { Resource } from "../../domain/resources/registry.ts";
import { effortOptions, reported } from "../change.ts";
import { orOf, resourceOf } from "../resource.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** What the guest uses of its vCPUs is kept nowhere outside of it. */
const resources: readonly Resource[] = KINDS.map(({ resource }) => resource).filter((resource) => resource !== "guest-vcpus");

export const verb: Verb = defineVerb({
  usage: ["persist DOMAIN [RESOURCE]"],
  section: "halves",
  summary: "make the config equal to the running machine",
  details: [`With a RESOURCE, only that one changes: ${orOf(resources)}.`],
  examples: [
    ["persist web1", "write into the config what the machine has now"],
    ["persist web1 vcpus", "only the number of vCPUs"],
  ],
  options: effortOptions,
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1, words: resources },
  run(call) {
    const resource = resourceOf(call.args, resources);
    return reported(call, (domain, options) => domain.persist(resource === undefined ? options : { ...options, resource }));
  },
});
