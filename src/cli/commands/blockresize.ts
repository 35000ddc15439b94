import { parseSize } from "../../config/size.ts";
import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["blockresize DOMAIN DISK SIZE"],
  section: "disks",
  summary: "make a disk larger, which can't be taken back",
  details: [
    "`qmpctl domblklist` shows the names of the disks. A disk has one image, so both halves change together: a running machine changes it by QEMU, a stopped one by qemu-img. It never shrinks.",
    "In a set of changes (`qmpctl apply`) it is done last, when all others are done. The guest sees the new size; its partitions and file systems are the guest's own work.",
  ],
  examples: [
    ["blockresize web1 disk0 20GiB", "now, with the next start in mind: it is one image"],
    ["blockresize web1 disk0 20GiB --dry-run", "show what would be done"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "DISK", "SIZE"], required: 3, kinds: { SIZE: "DISK-SIZE" } },
  async run(call) {
    const { args } = call;
    const [disk, size] = [args.operand(1), parseSize(args.operand(2))];
    return change(call, (domain, options) => domain.change({ resource: "disk-size", disk, size }, options));
  },
});
