import type { ChangeReport, Report } from "../../domain/change/change-report.ts";
import type { StopReport } from "../../domain/model/action.ts";
import type { Leg } from "../../domain/model/change.ts";
import { shellWord } from "../../domain/model/format.ts";
import { nameOf } from "../../domain/resources/registry.ts";
import { QmpctlError } from "../../errors.ts";
import { foldNames } from "../../remote/fleet/fold.ts";
import type { FleetTarget } from "../../remote/fleet/target.ts";
import { literal } from "../../remote/literal.ts";
import { wording } from "../failure.ts";
import { showBoth } from "../report.ts";
import type { Whose } from "./fold-targets.ts";

/** What became of a target in words that follow its name, without that name: those of many can be the same. */
export function wordsOf(target: FleetTarget, { verb, address }: { readonly verb: string; readonly address: string }): string {
  const { outcome, report, error, value } = target;
  const told = error === undefined ? "" : anonymous(reasonOf(error, report), target, address);
  if (outcome === "not-begun") return "not begun";
  if (outcome === "interrupted" && !(error instanceof QmpctlError)) return "interrupted";
  if (outcome === "planned" && report === undefined) return "planned, not touched";
  const what = report === undefined ? (outcome === "applied" ? actionOf(verb, value) : "") : summaryOf(report);
  const short = outcome === "applied" && report === undefined ? what : [outcome, what].filter((part) => part !== "").join(" ");
  return told === "" ? short : `${outcome}: ${told}`;
}

/** What an action did. */
function actionOf(verb: string, value: unknown): string {
  const how = (value as Partial<StopReport> | undefined)?.how;
  return how ?? PAST[verb] ?? "applied";
}

const PAST: Readonly<Record<string, string>> = {
  start: "started",
  restart: "restarted",
  reset: "reset",
  suspend: "suspended",
  resume: "resumed",
  define: "defined",
  undefine: "undefined",
};

function reasonOf(error: Error, report: Report | undefined): string {
  if (report?.outcome === "refused" && report.refusals.length > 0)
    return report.refusals
      .map(({ leg, reason, instead }) => `${leg}: ${reason}${instead === undefined ? "" : `; instead: ${instead}`}`)
      .join("; ");
  return wording(error);
}

/** The same words with the target's own names left open: those of many can be told together. */
export function openWords(
  words: string,
  { host, domain }: { readonly host: string; readonly domain: string | null },
  address: string,
): string {
  const names = [...new Set([address, host.replace(/^[^@]*@|:\d+$/g, ""), host, ...(domain === null ? [] : [domain])])];
  return names.reduce(
    (text, name) => text.replace(new RegExp(`(?<![\\w.-])${literal(name)}(?![\\w-])`, "g"), name === domain ? "DOMAIN" : "HOST"),
    words,
  );
}

/** Something that is said of a target. */
export interface Said extends Whose {
  readonly address: string;
  readonly text: string;
}

/** What is said of several: in the words of each if these are the same, else with their names left open, and commands for all of them. */
export function toldTogether(group: readonly Said[]): string {
  const [first] = group;
  if (first === undefined) return "";
  if (group.every(({ text }) => text === first.text)) return first.text;
  const domains = [...new Set(group.map(({ domain }) => domain))];
  const [domain] = domains;
  const known = domains.length === 1 && domain != null ? shellWord(domain) : "DOMAIN";
  const hosts = shellWord(foldNames(group.map(({ address }) => address)));
  return openWords(first.text, first, first.address)
    .replaceAll(/\bqmpctl ([a-z-]+) ssh:\/\/HOST\/DOMAIN/g, (_, verb: string) => `qmpctl -H ${hosts} ${verb} ${known}`)
    .replaceAll("qmpctl -H HOST ", `qmpctl -H ${hosts} `)
    .replaceAll(/\bDOMAIN\b/g, () => known);
}

/** A message without the names that it begins with. */
function anonymous(text: string, { host, domain }: FleetTarget, address: string): string {
  let left = text;
  for (const name of [address, host, domain ?? "", `ssh://${address}/${domain ?? ""}`, `ssh://${host}/${domain ?? ""}`]) {
    if (name !== "" && left.startsWith(`${name}: `)) left = left.slice(name.length + 2);
  }
  return left;
}

/** What a change did, in one line: `memory 1GiB -> 2GiB`. */
export function summaryOf({ changes }: Report): string {
  return changes
    .map(changeOf)
    .filter((part) => part !== "")
    .join(", ");
}

function changeOf({ change, static: config, dynamic: live }: ChangeReport): string {
  const shown = ({ before, wanted, outcome, actual }: Leg): string => {
    if (wanted === null) return "";
    const [one, other] = showBoth(change.resource, [before, wanted]);
    const moves = before === wanted || outcome === "unchanged" ? "" : `${one} -> ${other}`;
    const rest =
      outcome === "pending" || outcome === "failed" ? ` (${outcome}, now ${showBoth(change.resource, [wanted, actual])[1]})` : "";
    return moves + rest;
  };
  const [inConfig, inLive] = [shown(config), shown(live)];
  if (inConfig === "" && inLive === "") return "";
  const name = nameOf(change);
  if (inConfig === inLive) return `${name} ${inConfig}`;
  const parts = [inConfig === "" ? "" : `in the config ${inConfig}`, inLive === "" ? "" : `live ${inLive}`].filter((part) => part !== "");
  return `${name} ${parts.join(", ")}`;
}
