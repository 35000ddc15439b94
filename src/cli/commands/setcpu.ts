import { USUAL_WEIGHT } from "../../config/quota.ts";
import type { Change } from "../../domain/resources/registry.ts";
import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setcpu DOMAIN [--quota PERCENT%|none] [--weight N|default]"],
  section: "threads",
  summary: "limit the CPU time of QEMU, or weigh it against others",
  details: [
    "Both are for QEMU as a whole, with all of its threads. A quota is in percent of one CPU: 150% is one and a half CPUs. Give more than 100% for each vCPU: the threads that serve disks and network need time too.",
    "A weight, from 1 to 10000, counts only while others want the same CPUs; 100 is usual. `qmpctl diff` shows both.",
    "They are set on the cgroup that QEMU has to itself, by systemd if it is a unit's. One that others are in is refused. start gives QEMU one if it may.",
  ],
  examples: [
    ["setcpu web1 --quota 250% --both", "two and a half CPUs, now and at the next start"],
    ["setcpu web1 --quota none --weight 200", "no limit, and twice the usual weight"],
    ["setcpu web1 --quota 400% --live --until 07:00", "four CPUs until the morning"],
  ],
  options: {
    quota: { about: "how much CPU time QEMU may use: such as 150%, or none", value: "PERCENT%|none" },
    weight: { about: "what it weighs against others: 1 to 10000, or default (100)", value: "N|default" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN"], required: 1 },
  run(call) {
    const [quota, weight] = [call.args.text("quota"), call.args.text("weight")];
    const changes: readonly Change[] = [
      ...(quota === undefined ? [] : [{ resource: "cpu-quota", quota } as const]),
      ...(weight === undefined ? [] : [{ resource: "cpu-weight", weight: weightOf(weight) } as const]),
    ];
    if (changes.length === 0) throw misuse("setcpu: nothing to change: give --quota, --weight or both", "", "--quota 150% or --weight 200");
    return change(call, (domain, options) => domain.change(changes, options));
  },
});

function weightOf(text: string): number {
  return text === "default" ? USUAL_WEIGHT : parseCount(text, "--weight");
}
