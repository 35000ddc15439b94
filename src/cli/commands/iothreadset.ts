import { change, changeOptions } from "../change.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

const SETTINGS = ["poll-max-ns", "poll-grow", "poll-shrink", "thread-pool-min", "thread-pool-max"] as const;

export const verb: Verb = defineVerb({
  usage: ["iothreadset DOMAIN IOTHREAD --SETTING N..."],
  section: "threads",
  summary: "change how an iothread polls, and how many workers it has",
  details: [
    "N is a whole number, or default: then QEMU has its own value. What is not named stays as it is. The thread pool can be set since QEMU 7.1.",
  ],
  examples: [
    ["iothreadset web1 io0 --poll-max-ns 0", "do not poll"],
    ["iothreadset web1 io0 --thread-pool-min 2 --thread-pool-max 8 --both", "2 to 8 workers, now and at the next start"],
    ["iothreadset web1 io0 --poll-max-ns 0 --for 1h", "do not poll, for an hour"],
  ],
  options: {
    "poll-max-ns": { about: "the longest time that it polls before it sleeps, in nanoseconds; 0 for none", value: "N" },
    "poll-grow": { about: "by what its polling time is multiplied if it was too short", value: "N" },
    "poll-shrink": { about: "by what it is divided if it was too long", value: "N" },
    "thread-pool-min": { about: "how many workers it keeps", value: "N" },
    "thread-pool-max": { about: "the most workers that it has", value: "N" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "IOTHREAD"], required: 2 },
  run(call) {
    const { args } = call;
    const items = SETTINGS.flatMap((name) => {
      const value = args.text(name);
      return value === undefined ? [] : [`${name}=${value}`];
    });
    if (items.length === 0)
      throw misuse("iothreadset: nothing to set", undefined, `one or more of ${SETTINGS.map((name) => `--${name}`).join(", ")}`);
    const iothread = args.operand(1);
    return change(call, (domain, options) => domain.change({ resource: "iothread-set", iothread, settings: items.join(",") }, options));
  },
});
