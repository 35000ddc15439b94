import { domainOnly, done, lifecycle } from "../lifecycle.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["undefine DOMAIN"],
  summary: "delete the launch config of a stopped domain",
  options: {},
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (machine) => {
      await machine.undefine();
      return done(machine.name, "undefined");
    }),
};
