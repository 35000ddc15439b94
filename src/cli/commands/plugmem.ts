import { parseSize } from "../../config/size.ts";
import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["plugmem DOMAIN SIZE"],
  section: "memory",
  summary: "give the machine a DIMM of memory",
  details: [
    "The DIMM is on top of what the machine starts with, and has memory of its own. It needs a slot: memory.hotplug of the config says how many there are, and how much all memory together may be. `qmpctl diff` lists the DIMMs.",
  ],
  examples: [
    ["plugmem web1 1GiB --both", "now, and at each start"],
    ["plugmem web1 1GiB --id dimm7", "do nothing if dimm7 is there with that size"],
    ["plugmem web1 1GiB --for 8h", "unplug it in eight hours"],
  ],
  options: {
    id: { about: "the name of the DIMM (default: the first of dimm1, dimm2, … that is free)", value: "ID", kind: "NEW-ID" },
    node: { about: "the NUMA node that it belongs to (default: 0)", value: "NODE" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "SIZE"], required: 2, kinds: { SIZE: "DIMM-SIZE" } },
  async run(call) {
    const { args } = call;
    const size = parseSize(args.operand(1));
    const [id, nodeText] = [args.text("id"), args.text("node")];
    const node = nodeText === undefined ? 0 : parseCount(nodeText, "NODE");
    const wanted =
      id === undefined
        ? (await import("../../domain/resources/new-dimm.ts")).newDimm(size, { node })
        : ({ resource: "dimm", id, size, node } as const);
    return change(call, (domain, options) => domain.change(wanted, options));
  },
});
