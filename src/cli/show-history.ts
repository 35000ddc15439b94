import type { HistoryChange, HistoryEntry, HistoryHalf } from "../domain/views/history.ts";
import { type Cell, painter, type Style, table } from "./output.ts";
import { showBoth } from "./report.ts";
import type { Io } from "./verb.ts";

const STYLES: Readonly<Record<HistoryEntry["outcome"], Style>> = {
  ...{ done: "green", applied: "green", unchanged: "dim", pending: "yellow", "rolled-back": "red", failed: "red" },
};

/** A history for people: a row for each thing that was done, and one more for each further change of a set. */
export function showHistory(entries: readonly HistoryEntry[], io: Io): string {
  if (entries.length === 0) return "";
  const header = ["when", "who", "what", "result"];
  return table(entries.flatMap(rowsOf), { header, titles: 3, paint: painter(io.stdout, io.env), columns: io.stdout.columns });
}

function rowsOf(entry: HistoryEntry): readonly (readonly Cell[])[] {
  const { what, outcome, changes = [], about, more } = entry;
  const style = STYLES[outcome] ?? "dim";
  const [first, ...others] = changes;
  const isChange = what === "change" && first !== undefined;
  const result = [outcome, isChange ? halvesOf(first) : "", about ?? ""].filter((part) => part !== "").join(": ");
  const head = [timeOf(entry.ended), whoOf(entry)];
  return [
    [...head, isChange ? first.name : what, { text: result, style }],
    ...(isChange ? others : changes).map((each): readonly Cell[] => ["", "", `  ${each.name}`, { text: halvesOf(each), style }]),
    ...(more === undefined ? [] : [["", "", "", `and ${more} more`]]),
  ];
}

/** What became of both halves, as `static and dynamic 1 -> 2`. */
function halvesOf({ resource, static: config, dynamic }: HistoryChange): string {
  const [one, other] = [halfOf(resource, config), halfOf(resource, dynamic)];
  if (one !== "" && one === other) return `static and dynamic ${one}`;
  return [one === "" ? "" : `static ${one}`, other === "" ? "" : `dynamic ${other}`].filter((part) => part !== "").join(", ");
}

function halfOf(resource: string, { before, wanted, actual, outcome }: HistoryHalf): string {
  if (outcome === "skipped") return "";
  if (outcome === "unchanged") return "unchanged";
  const [from, to] = showBoth(resource, [before, outcome === "applied" ? actual : wanted]);
  return `${from} -> ${to}${outcome === "applied" ? "" : ` ${outcome}`}`;
}

/** Who it was, as `root`, `alice as root`, `bob@192.0.2.7`. */
function whoOf({ who: { user, uid, isRoot, sudo, from } }: HistoryEntry): string {
  const name = isRoot === true ? "root" : (user ?? String(uid));
  return `${sudo === undefined || sudo === name ? name : `${sudo} as ${name}`}${from === undefined ? "" : `@${from}`}`;
}

/** The time here, without the year if that is this one's. */
function timeOf(iso: string): string {
  const at = new Date(iso);
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const isThisYear = at.getFullYear() === new Date().getFullYear();
  return isThisYear ? `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}` : `${at.getFullYear()}-${day}`;
}
