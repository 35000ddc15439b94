import { change, effortOptions } from "../change.ts";
import { domainOnly } from "../lifecycle.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["revert DOMAIN"],
  summary: "make the running machine equal to its config, without a restart",
  options: effortOptions,
  operands: domainOnly,
  run: (call) => change(call, (machine, { scope: _, ...options }) => machine.revert(options)),
};
