import { change, changeOptions } from "../change.ts";

import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["emulatorsched DOMAIN POLICY"],
  section: "threads",
  summary: "set the scheduling policy of QEMU's own threads",
  details: [
    "These are the main thread and its workers, which serve disks and devices. A worker that starts later inherits the policy.",
    "POLICY is other (the usual one), batch, idle, or fifo:N or rr:N with a priority N from 1 to 99. Those two need CAP_SYS_NICE, and run before all others: a thread that never sleeps starves the host. Without that right, idle can't be taken back.",
  ],
  examples: [
    ["emulatorsched web1 batch", "now"],
    ["emulatorsched web1 other --both", "the usual one, now and at the next start"],
    ["emulatorsched web1 batch --until 07:00", "until the morning"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "POLICY"], required: 2 },
  run(call) {
    const policy = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "emulator-sched", policy }, options));
  },
});
