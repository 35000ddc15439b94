import { parseSize } from "../../config/size.ts";
import { change, changeOptions, sizeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setmem DOMAIN SIZE"],
  section: "allocation",
  summary: "change how much memory the guest has",
  details: [
    "A running guest gives or takes memory through its balloon driver. The change is `applied` when the guest has the new size. It is `pending` if the guest has not finished by the deadline.",
  ],
  options: { ...changeOptions, ...sizeOptions },
  operands: { names: ["DOMAIN", "SIZE"], required: 2 },
  run(call) {
    const size = parseSize(call.args.operand(1));
    return change(call, (domain, options) => domain.change({ resource: "memory", size }, options));
  },
});
