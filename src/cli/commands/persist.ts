import { change, effortOptions } from "../change.ts";
import { domainOnly } from "../lifecycle.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["persist DOMAIN"],
  summary: "make the config equal to the running machine",
  options: effortOptions,
  operands: domainOnly,
  run: (call) => change(call, (machine, { scope: _, ...options }) => machine.persist(options)),
};
