import { parseSize } from "../../config/size.ts";
import { change, changeOptions, sizeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setmem DOMAIN SIZE"],
  summary: "change how much memory the guest has",
  details: [
    "A running guest gives memory up, or takes it, through its balloon driver: it is `applied` when it is there, and `pending` while the guest has not done it by the deadline.",
  ],
  options: { ...changeOptions, ...sizeOptions },
  operands: { names: ["DOMAIN", "SIZE"], required: 2 },
  run(call) {
    const size = parseSize(call.args.operand(1));
    return change(call, (domain, options) => domain.change({ resource: "memory", size }, options));
  },
});
