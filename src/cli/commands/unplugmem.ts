import { changeOptions, takeAway } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["unplugmem DOMAIN ID"],
  section: "memory",
  summary: "take a DIMM away from the machine",
  details: [
    "The guest decides: what lies in the DIMM has to move elsewhere first. If the guest has not let go of it by the deadline, the change is `pending`: it may still do so later, and QEMU can't take that back. `qmpctl diff` lists the DIMMs.",
    "A DIMM that could not be plugged back as it was, because QEMU does not tell all of its memory, is refused without --force.",
  ],
  examples: [
    ["unplugmem web1 dimm1", "from the running machine; the next start has it again if the config has it"],
    ["unplugmem web1 dimm1 --both", "from the config too"],
    ["unplugmem web1 dimm1 --for 1d", "plug it again in a day"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "ID"], required: 2 },
  run(call) {
    const id = call.args.operand(1);
    return takeAway(call, `DIMM ${id}`, { resource: "dimm", id, size: 0, node: 0 });
  },
});
