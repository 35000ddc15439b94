import { parseSize } from "../../config/size.ts";
import { change, changeOptions, sizeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setmaxmem DOMAIN SIZE"],
  section: "memory",
  summary: "change the most memory that the guest can have",
  details: [
    "This is the memory that the machine starts with, without DIMMs and virtio-mem. QEMU sets it at its start: on a running machine the change needs --static, and applies at the next start.",
  ],
  examples: [
    ["setmaxmem web1 4GiB --static", "at the next start"],
    ["setmaxmem web1 4GiB --static --dry-run", "show what would be written"],
  ],
  options: { ...changeOptions, ...sizeOptions },
  operands: { names: ["DOMAIN", "SIZE"], required: 2, kinds: { SIZE: "MAX-SIZE" } },
  run(call) {
    const size = parseSize(call.args.operand(1));
    return change(call, (domain, options) => domain.change({ resource: "max-memory", size }, options));
  },
});
