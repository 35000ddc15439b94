import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["vhostpin DOMAIN CPULIST"],
  section: "threads",
  summary: "bind the threads of vhost devices to CPUs of the host",
  details: [
    "These are the threads that the kernel runs for a NIC with vhost=on, vhost-scsi or vhost-vsock. All of them get the same CPUs.",
    "CPULIST is a list of host CPUs, such as 0-3,8 or 0-7,^4. all removes the binding. A running machine without such threads is refused; --static keeps the binding for the next start.",
  ],
  examples: [
    ["vhostpin web1 2-3 --both", "now, and at the next start"],
    ["vhostpin web1 all", "to all CPUs, now"],
    ["vhostpin web1 2-3 --for 8h", "now, and as it was in eight hours"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "CPULIST"], required: 2 },
  run(call) {
    const cpus = call.args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "vhost-pin", cpus }, options));
  },
});
