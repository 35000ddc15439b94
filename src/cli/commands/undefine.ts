import { domainOnly, done, lifecycle } from "../lifecycle.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["undefine DOMAIN"],
  summary: "delete the launch config of a stopped domain",
  details: [
    "A link to a config is a second name of it: by that name, only the link is removed. With the config go the links in its folder that lead to it.",
  ],
  options: {},
  operands: domainOnly,
  run: (call) =>
    lifecycle(call, async (machine) => {
      const { alias = null, links = [] } = (await machine.undefine()) ?? {};
      if (alias !== null)
        return {
          json: { name: machine.name, done: "alias removed", alias },
          lines: [`${alias}: removed; it was a second name of ${machine.name}, which stays`],
        };
      const answer = done(machine.name, "undefined");
      return { ...answer, lines: [...answer.lines, ...links.map((link) => `note: ${link}, which led to it, is removed too`)] };
    }),
};
