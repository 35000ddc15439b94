import { changeOptions, takeAway } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["detach DOMAIN DEVICE"],
  section: "disks",
  summary: "unplug a device by its id, and free what only it used",
  details: [
    "The guest has to let go of the device. The change is `pending` if it has not by the deadline; the same command again frees what the device used when it has gone.",
    "With --static the words of the device are removed from args, with those of its -blockdev and -netdev if nothing else uses them, and the limits of a disk.",
  ],
  examples: [
    ["detach web1 disk1", "from the running machine"],
    ["detach web1 nic1 --both", "from the config too"],
    ["detach web1 nic1 --for 30min", "attach it again in half an hour"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "DEVICE"], required: 2 },
  run(call) {
    const id = call.args.operand(1);
    return takeAway(call, `device ${id}`, { resource: "device", id, words: "absent" });
  },
});
