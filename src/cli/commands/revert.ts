import { KINDS } from "../../domain/resources/kinds.ts";
import type { Resource } from "../../domain/resources/registry.ts";
import { effortOptions, reported } from "../change.ts";
import { orOf, resourceOf } from "../resource.ts";
import { defineVerb, type Verb } from "../verb.ts";

const resources: readonly Resource[] = KINDS.filter((kind) => kind.revert !== null).map(({ resource }) => resource);

export const verb: Verb = defineVerb({
  usage: ["revert DOMAIN [RESOURCE]"],
  section: "halves",
  summary: "make the running machine equal to its config, without a restart",
  details: [
    `With a RESOURCE, only that one changes: ${orOf(resources)}.`,
    "If only some of it can be reverted, that part is. The report then says what is left, and the exit code is 4.",
  ],
  examples: [
    ["revert web1 --dry-run", "show what would be done"],
    ["revert web1 memory", "only the memory"],
  ],
  options: effortOptions,
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1, words: resources },
  run(call) {
    const resource = resourceOf(call.args, resources);
    return reported(call, (domain, options) => domain.revert(resource === undefined ? options : { ...options, resource }));
  },
});
