import { type Answer, done, printAnswer } from "../answer.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["undefine DOMAIN"],
  section: "domains",
  summary: "delete the launch config of a stopped domain",
  details: [
    "Links to the config in its own folder are deleted with it, and so is the unit of autostart.",
    "If DOMAIN names such a link, only the link is deleted.",
  ],
  examples: [
    ["undefine web1", "the machine has to be stopped; its disks stay as they are"],
    ["-H kvm1 undefine web1", "the same on another host"],
  ],
  options: {},
  operands: domainOnly,
  async run(call) {
    await using domain = await call.facade.open(call.args.operand(0));
    const { alias = null, links = [], notes: more = [] } = (await domain.undefine()) ?? {};
    const notes = [...links.map((link) => `${link}, which led to it, is removed too`), ...more];
    printAnswer(call, alias === null ? { ...done(domain.name, "undefined"), notes } : aliasRemoved(domain.name, alias));
    return EXIT.done;
  },
});

function aliasRemoved(name: string, alias: string): Answer {
  return {
    json: { name, done: "alias removed", alias },
    lines: [`${alias}: removed; it was a second name of ${name}, which is still there`],
  };
}
