import type { AutostartReport } from "../../domain/model/action.ts";
import { type Answer, printAnswer } from "../answer.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";
import { shutdownOption, shutdownTimeoutOf } from "./unit.ts";

export const verb: Verb = defineVerb({
  usage: ["autostart DOMAIN"],
  section: "power",
  summary: "have the machine start with the host, or no longer",
  details: [
    "It installs and enables the unit that qmpctl unit prints; root's in /etc/systemd/system, a user's in ~/.config/systemd/user. It neither starts nor stops the machine: systemctl start does that.",
    "--disable takes away what autostart has made. A unit that somebody has edited is not touched without --force. undefine removes the unit with the config.",
    "On another host its own qmpctl is named in the unit, so it has to be installed there: -H HOST --installed.",
  ],
  examples: [
    ["autostart web1", "from the next boot of the host on"],
    ["autostart web1 --disable", "no longer"],
  ],
  options: {
    disable: { about: "it starts with the host no longer" },
    force: { about: "also if somebody has changed the unit, or made it" },
    ...shutdownOption,
  },
  operands: domainOnly,
  async run(call) {
    const { args, facade } = call;
    const options = { disable: args.flag("disable"), force: args.flag("force"), ...shutdownTimeoutOf(args) };
    await using domain = await facade.open(args.operand(0));
    printAnswer(call, shown(await domain.autostart(options)));
    return EXIT.done;
  },
});

function shown(report: AutostartReport): Answer {
  const { name, autostart, changed, unit, path, notes } = report;
  const what = autostart ? `starts with the host, by ${unit} (${path})` : "does not start with the host";
  return { json: report, lines: [`${name}: ${what}${changed ? "" : ", as before"}`], notes };
}
