import { change, changeOptions } from "../change.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["iothreadpin DOMAIN IOTHREAD CPULIST"],
  section: "threads",
  summary: "bind an iothread to CPUs of the host",
  details: [
    "IOTHREAD is its id, as in -object iothread,id=io0. CPULIST is a list of host CPUs, such as 0-3,8 or 0-7,^4. all removes the binding. `qmpctl threads` shows the bindings.",
    "The config keeps a binding for an iothread that is not there yet. It is applied when the iothread is added, and at a start.",
  ],
  examples: [
    ["iothreadpin web1 io0 2-3 --both", "now, and at the next start"],
    ["iothreadpin web1 io1 2-3 --static", "for an iothread that comes later"],
    ["iothreadpin web1 io0 2-3 --for 8h", "now, and as it was in eight hours"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "IOTHREAD", "CPULIST"], required: 3 },
  run(call) {
    const [iothread, cpus] = [call.args.operand(1), call.args.operand(2)];
    return change(call, (domain, options) => domain.change({ resource: "iothread-pin", iothread, cpus }, options));
  },
});
