import type { Crew } from "../../remote/fleet/crew.ts";
import { type FleetReport, type FleetTarget, isGood, type TargetOutcome } from "../../remote/fleet/target.ts";
import { addressOf } from "../../remote/readdress.ts";
import { adviceOn } from "../advice.ts";
import { flow, painter, type Style, table } from "../output.ts";
import type { Io } from "../verb.ts";
import { type Command, foldCommands, foldTargets, groupBy } from "./fold-targets.ts";
import { openWords, toldTogether, wordsOf } from "./words-of-target.ts";

/** What a report is shown with. */
export interface Showing {
  readonly crew: Crew;
  readonly io: Io;
  readonly verb: string;
  readonly wherePossible: boolean;
}

/** The colour of each outcome. */
export const STYLES: Readonly<Record<TargetOutcome, Style>> = {
  planned: "bold",
  unchanged: "dim",
  applied: "green",
  pending: "yellow",
  "rolled-back": "red",
  failed: "red",
  error: "red",
  refused: "red",
  unreachable: "red",
  lost: "red",
  interrupted: "yellow",
  "not-begun": "dim",
};

/** A target, and all that is said of it. */
interface Told {
  readonly target: FleetTarget;
  readonly address: string;
  readonly words: string;
  readonly notes: readonly string[];
}

/** A report for people: what ended alike in one line, with the hosts as ranges, and the commands for what needs one. */
export async function showFleet(report: FleetReport, showing: Showing): Promise<void> {
  const { crew, io, verb } = showing;
  const addresses = new Map(crew.members.map(({ name, address }) => [name, address]));
  const all: Told[] = [];
  for (const target of report.targets) {
    const address = addresses.get(target.host) ?? target.host;
    const { error, domain } = target;
    const advice =
      error === undefined ? undefined : await adviceOn(error, { verb, domain: domain === null ? undefined : addressOf(address, domain) });
    const words = wordsOf(target, { verb, address });
    const notes = [...(target.report?.notes ?? []), ...(target.notes ?? [])];
    all.push({ target, address, words: advice === undefined ? words : `${words}; ${advice}`, notes });
  }
  const alike = groupBy(all, keyOf);
  io.stdout.write(alike.map((group) => lines(group, showing)).join(""));
  if (report.unmatched.length > 0)
    io.stdout.write(
      flow(`note: no such domain on ${foldTargets(report.unmatched.map((host) => ({ host, domain: null })))}`, io.stdout.columns),
    );
  const summary = summaryOf(report, showing);
  if (summary !== undefined) io.stderr.write(flow(`qmpctl: ${summary}`, io.stderr.columns));
}

/** What stands in one line. What is half done, or not known, stands alone: each has commands of its own. */
function keyOf({ target, words, notes, address }: Told): string {
  const isAlone = target.outcome === "failed" || target.outcome === "lost";
  const open = [words, ...notes].map((text) => openWords(text, target, address));
  return JSON.stringify([target.outcome, open, isAlone ? [address, target.domain] : null]);
}

function lines(group: readonly Told[], { io }: Showing): string {
  const [first] = group;
  if (first === undefined) return "";
  const { columns } = io.stdout;
  const { outcome } = first.target;
  const text = flow(`${foldTargets(group.map(({ target }) => target))}: ${told(group, ({ words }) => words)}`, columns);
  const commands = (["finish", "takeBack"] as const).flatMap((which) => {
    const all = group.flatMap(({ target, address }): Command[] => {
      const command = target[which];
      return command === undefined ? [] : [{ ...target, address, command }];
    });
    const title = which === "finish" ? (first.target.key === undefined ? "to finish it:" : "to ask for it:") : "to undo it:";
    return foldCommands(all).map((command): string[] => [`  ${title}`, command]);
  });
  const notes = first.notes.map((_, at) => flow(`  note: ${told(group, (each) => each.notes[at] ?? "")}`, columns)).join("");
  const paint = painter(io.stdout, io.env);
  const at = text.indexOf(`: ${outcome}`);
  const painted = at < 0 ? text : `${text.slice(0, at + 2)}${paint(outcome, STYLES[outcome])}${text.slice(at + 2 + outcome.length)}`;
  return painted + notes + table(commands, { columns });
}

/** What is said of several. */
function told(group: readonly Told[], textOf: (each: Told) => string): string {
  return toldTogether(group.map((each) => ({ ...each.target, address: each.address, text: textOf(each) })));
}

/** In a word how the whole ended, where it did not end well. */
export function summaryOf(
  { outcome, targets }: FleetReport,
  { wherePossible, io }: Pick<Showing, "wherePossible" | "io">,
): string | undefined {
  const bad = targets.filter((target) => !isGood(target) && target.outcome !== "not-begun").length;
  const count = `${bad} of ${targets.length}`;
  const isDone = targets.some((target) => target.outcome === "applied");
  switch (outcome) {
    case "refused":
      return `refused: nothing was touched anywhere${wherePossible || !targets.some((it) => it.outcome === "planned") ? "" : "; --where-possible does what can be done"}`;
    case "interrupted":
      return `${io.signal.reason instanceof Error ? io.signal.reason.message : "interrupted"}${isDone ? "; what was applied stays" : ""}`;
    case "partial":
      return `${count} failed, and something is not as it was or is not known`;
    case "failed":
      return `${count} failed${isDone ? "; what was applied elsewhere stays" : ""}`;
    default:
      return undefined;
  }
}
