import { changeOptions, takeAway } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["iothreaddel DOMAIN IOTHREAD"],
  section: "threads",
  summary: "remove an iothread that nothing uses",
  details: [
    "If a device uses it, that is refused and names the device: QEMU would not mind, and the thread would go on where nobody can see it.",
  ],
  examples: [
    ["iothreaddel web1 io1", "from the running machine"],
    ["iothreaddel web1 io1 --static", "from the config"],
    ["iothreaddel web1 io1 --for 1h", "add it again in an hour"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "IOTHREAD"], required: 2 },
  run(call) {
    const iothread = call.args.operand(1);
    return takeAway(call, `iothread ${iothread}`, { resource: "iothread", iothread, state: "absent" });
  },
});
