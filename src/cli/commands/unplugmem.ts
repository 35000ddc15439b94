import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["unplugmem DOMAIN ID"],
  section: "allocation",
  summary: "take a DIMM away from the machine",
  details: [
    "The guest decides: what lies in the DIMM has to move elsewhere first. A guest that has not let go of it by the deadline is `pending`, and may still do it later, as QEMU can't take that back.",
    "`qmpctl diff web1` lists the DIMMs. `qmpctl unplugmem web1 dimm1 --both` takes it away now and from the config.",
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "ID"], required: 2 },
  run(call) {
    const id = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "dimm", id, size: 0, node: 0 }, options));
  },
});
