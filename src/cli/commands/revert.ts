import { KINDS } from "../../domain/resources/kinds.ts";
import type { Resource } from "../../domain/resources/registry.ts";
import { effortOptions, reported } from "../change.ts";
import { misuse } from "../options.ts";
import { orOf, resourceOf } from "../resource.ts";
import { defineVerb, type Verb } from "../verb.ts";

const resources: readonly Resource[] = KINDS.filter((kind) => kind.revert !== null).map(({ resource }) => resource);

export const verb: Verb = defineVerb({
  usage: ["revert DOMAIN [RESOURCE]"],
  section: "halves",
  summary: "make the running machine equal to its config, without a restart",
  details: [
    `With a RESOURCE, only that one changes: ${orOf(resources)}.`,
    "A change that was made with --for or --until is not taken back any more when what it changed is reverted or persisted.",
    "If only some of it can be reverted, that part is. The report then says what is left, and the exit code is 4.",
  ],
  examples: [
    ["revert web1 --dry-run", "show what would be done"],
    ["revert web1 memory", "only the memory"],
    ["revert web1 --end 3f9c01d27ab4", "end a change with an end now"],
  ],
  options: {
    ...effortOptions,
    end: { about: "take back what the change with this end left, now; info has its KEY", value: "KEY", kind: "END" },
  },
  operands: { names: ["DOMAIN", "RESOURCE"], required: 1, words: resources },
  run(call) {
    const resource = resourceOf(call.args, resources);
    const end = call.args.text("end");
    if (end !== undefined && resource !== undefined)
      throw misuse(`--end and ${resource}: give only one`, end, "--end KEY alone, or a RESOURCE");
    const only = { ...(resource === undefined ? {} : { resource }), ...(end === undefined ? {} : { end }) };
    return reported(call, (domain, options) => domain.revert({ ...options, ...only }));
  },
});
