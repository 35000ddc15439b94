import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["emulatorpin DOMAIN CPULIST"],
  section: "threads",
  summary: "bind QEMU's own threads to CPUs of the host",
  details: [
    "These are the main thread and its workers, which serve disks and devices. vCPUs, iothreads and vhost threads keep their bindings.",
    "CPULIST is a list of host CPUs, such as 0-3,8 or 0-7,^4. all removes the binding. `qmpctl threads` shows the bindings.",
  ],
  examples: [
    ["emulatorpin web1 0-1 --both", "now, and at the next start"],
    ["emulatorpin web1 all", "to all CPUs, now"],
    ["emulatorpin web1 0-1 --for 8h", "now, and as it was in eight hours"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "CPULIST"], required: 2 },
  run(call) {
    const cpus = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "emulator-pin", cpus }, options));
  },
});
