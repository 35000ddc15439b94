import type { EndItem } from "../ends/change-end.ts";
import { showMoment } from "../ends/show-moment.ts";
import type { Place } from "../machine/place.ts";
import type { Refusal } from "../model/change.ts";
import { variablesFor } from "../model/cron-line.ts";
import { commandLine } from "../model/format.ts";
import { kindOf, nameOf, withValue } from "../resources/registry.ts";
import { recordsOf, reportStep } from "./apply.ts";
import type { TimedWork } from "./timed-work.ts";

/** What speaks against an end of a change that could be made without one. */
export function endRefusals({ plan, facts, held }: TimedWork, items: readonly EndItem[]): readonly Refusal[] {
  const { halves } = plan;
  if (halves.static && !halves.dynamic) return [noLive(facts.state === "stopped")];
  if (halves.static) return [BOTH];
  if (held.machine?.process === null)
    return [{ leg: "dynamic", reason: NO_PROCESS, instead: "the same from there, with -H HOST, or without an end" }];
  const final = recordsOf(plan.steps).map((record) => reportStep(record, facts));
  return [
    ...final
      .filter(({ undo }) => undo === undefined)
      .map(({ what, noUndo }) => refuse(`${what}: it can't be taken back${noUndo === undefined ? "" : `: ${noUndo}`}`)),
    ...items
      .filter(({ back }) => back === null)
      .map(({ change }) => refuse(`${nameOf(change)}: what it is now is not known, so it can't be taken back`)),
  ];
}

const NO_PROCESS = "the process of the machine can't be seen here, so that nobody could tell it from a later one at the end";

const BOTH: Refusal = {
  leg: "static",
  reason: "an end takes back what is running, and the config's half of this change would stay",
  instead: "--dynamic with the end, and the config by a change of its own",
};

function noLive(isStopped: boolean): Refusal {
  const reason = "an end is of the running machine: the config is for the next start, and ends by no clock";
  return { leg: "static", reason: isStopped ? `the machine is not running, and ${reason}` : reason, instead: "--dynamic, or no end" };
}

function refuse(reason: string): Refusal {
  return { leg: "dynamic", reason, instead: "the same without an end" };
}

/** That no timer of the host's would take it back; with the line of a crontab that would. */
export function noTimer(why: string, { name, folders }: Place, items: readonly EndItem[], due: number): Refusal {
  const commands = items.map(({ change, back }) => kindOf(change).command(back === null ? change : withValue(change, back), name));
  const can = "systemd or at has to run here";
  if (commands.includes(null)) return { leg: "domain", reason: why, instead: can };
  const date = new Date(due);
  // cron takes a percent sign for the end of a line.
  const line = commands
    .map((command) => `${variablesFor(folders)}${commandLine()} ${command} --dynamic`.replaceAll("%", "\\%"))
    .join(" && ");
  const when = `${date.getMinutes()} ${date.getHours()} ${date.getDate()} ${date.getMonth() + 1} *`;
  const instead = `without an end, and as a line of your crontab, to be removed after ${showMoment(due)}: ${when} ${line}`;
  return { leg: "domain", reason: why, instead: `${can}; or ${instead}` };
}
