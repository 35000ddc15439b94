import { parseSize } from "../../config/size.ts";
import { change, changeOptions, sizeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setmaxmem DOMAIN SIZE"],
  summary: "change how much memory the guest can have at most",
  details: ["QEMU fixes it at the start, so on a running machine this takes --static, and waits for the next start."],
  options: { ...changeOptions, ...sizeOptions },
  operands: { names: ["DOMAIN", "SIZE"], required: 2 },
  run(call) {
    const size = parseSize(call.args.operand(1));
    return change(call, (domain, options) => domain.change({ resource: "max-memory", size }, options));
  },
});
