import { detailLines } from "./details.ts";
import type { Capabilities, Line } from "./drawing.ts";
import { type DomainFrame, type Frame, keyOf } from "./frame.ts";
import { headLines } from "./head.ts";
import { domainLine, fitted, layoutFor, titles } from "./layout.ts";
import { MARKS } from "./notes.ts";
import { cut, pad, widthOf } from "./text.ts";
import { isOpen, selectedIn, shown, type View } from "./view.ts";

/** What a page is drawn from. */
export interface PageAbout {
  readonly frame: Frame;
  readonly view: View;
  readonly can: Capabilities;
  /** A domain's CPU in the frames before, oldest first. */
  readonly past: (domain: DomainFrame) => readonly number[];
  /** The first line of the table that was shown last. */
  readonly top: number;
}

/** A page: as many lines as the terminal has rows, none wider than it. */
export interface Page {
  readonly lines: readonly Line[];
  /** The first line of the table that is shown. */
  readonly top: number;
  /** How many lines of the table there is room for. */
  readonly room: number;
}

/** Draws a whole screen. Pure. */
export function pageOf(about: PageAbout): Page {
  const { frame, view, can } = about;
  const head = can.rows >= 10 ? headLines(frame, view, can) : headLines(frame, view, can).slice(0, 1);
  if (view.help) return { ...about, lines: filled([...head, [], ...helpLines(can)], can), room: 1 };
  const domains = shown(frame, view);
  const layout = layoutFor(can.columns, domains);
  const selected = selectedIn(view, domains);
  const table = tableLines(domains, about, layout, selected);
  const room = Math.max(1, can.rows - head.length - 2);
  const top = scrolled(table, about.top, room, selected);
  const lines = table.slice(top, top + room).map(({ line }) => line);
  const body = lines.length > 0 ? lines : [[{ text: `  ${nothing(frame, view)}`, look: "dim" as const }]];
  const whole = [...head, titles(layout, view, can), ...body];
  return { lines: filled([...whole, ...blank(can.rows - whole.length - 1), footLine(about, domains, selected)], can), top, room };
}

interface TableLine {
  readonly of: string;
  readonly line: Line;
}

function tableLines(
  domains: readonly DomainFrame[],
  { view, can, past }: PageAbout,
  layout: ReturnType<typeof layoutFor>,
  selected: DomainFrame | undefined,
): readonly TableLine[] {
  return domains.flatMap((domain) => {
    const own = domainLine(domain, layout, { past: past(domain), can, isSelected: domain === selected });
    const details = isOpen(view, domain) ? detailLines(domain, can) : [];
    return [own, ...details].map((line) => ({ of: keyOf(domain), line }));
  });
}

/** The first line that is shown, so that the selected domain is, with what it shows below if there is room. */
function scrolled(table: readonly TableLine[], top: number, room: number, selected: DomainFrame | undefined): number {
  const key = selected === undefined ? "" : keyOf(selected);
  const first = Math.max(
    0,
    table.findIndex(({ of }) => of === key),
  );
  const last = Math.max(
    first,
    table.findLastIndex(({ of }) => of === key),
  );
  const lowest = Math.min(Math.max(0, table.length - room), Math.max(top, last - room + 1));
  return Math.max(0, Math.min(first, lowest));
}

function nothing({ domains }: Frame, { only, typing, onlyRunning }: View): string {
  if (domains.length === 0) return "no domains are defined, and no QEMU runs: `qmpctl define` makes one";
  const text = typing ?? only;
  return text === ""
    ? onlyRunning
      ? "no QEMU runs: i shows those that are stopped, too"
      : ""
    : `no name has ${JSON.stringify(text)} in it: Esc shows all`;
}

const HINTS = ["h help", "q quit", "/ find", "space pause", "Enter details", "v vCPUs", "c CPU", "m mem", "s steal", "d disk", "n name"];

function footLine({ view, can, frame }: PageAbout, domains: readonly DomainFrame[], selected: DomainFrame | undefined): Line {
  const at = selected === undefined ? 0 : domains.indexOf(selected) + 1;
  const hidden = frame.domains.length - domains.length;
  const where = `${at} of ${domains.length}${hidden > 0 ? ` (${hidden} hidden)` : ""}`;
  const more = can.unicode ? "…" : "~";
  if (view.typing !== null) return [{ text: cut(`find: ${view.typing}_`, can.columns, more), look: "bold" }];
  let text = view.only === "" ? "" : cut(`only ${JSON.stringify(view.only)} (Esc: all)  `, can.columns / 2, more);
  for (const hint of HINTS) if (widthOf(text) + hint.length + 2 + where.length <= can.columns) text += `${hint}  `;
  return [{ text: `${text}${pad(where, can.columns - widthOf(text), true)}`, look: "dim" }];
}

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["up down PgUp PgDn Home End", "select a domain, scroll"],
  ["Enter", "open or close the selected domain: vCPUs, disks"],
  ["v", "open or close all"],
  ["c s m o", "sort by CPU, steal, memory, host RAM"],
  ["d t n e", "sort by disk, net, name, state"],
  ["r", "reverse"],
  ["/ text Enter", "show only names with that text; Esc shows all"],
  ["i", "leave out what does not run, or show it again"],
  ["space", "pause, and go on"],
  ["+ -", "longer or shorter between two frames"],
  ["^L ^Z q", "draw anew, stop (fg goes on), quit"],
];

/** What the keys and the marks mean. */
function helpLines(can: Capabilities): readonly Line[] {
  const row = ([keys, does]: readonly [string, string]): Line => [{ text: `  ${pad(keys, 27)}`, look: "bold" }, { text: does }];
  const marks = MARKS.map(([mark, means]): Line => [{ text: `  ${mark}  `, look: "yellow" }, { text: means }]);
  const about = "CPU%: of one CPU of the host. STEAL: waited for one. Any key closes this.";
  // What does not fit would be the end: on a low terminal the marks stand beside the keys.
  if (can.rows >= KEYS.length + MARKS.length + 9)
    return [...KEYS.map(row), [], [{ text: "MARK", look: "bold" }], ...marks, [], [{ text: about, look: "dim" }]];
  return [...KEYS.map(row), [{ text: about, look: "dim" }], ...marks];
}

function blank(count: number): readonly Line[] {
  return Array.from({ length: Math.max(0, count) }, () => []);
}

/** Exactly as many lines as there are rows, none wider than the terminal. */
function filled(lines: readonly Line[], { rows, columns }: Capabilities): readonly Line[] {
  return [...lines, ...blank(rows - lines.length)].slice(0, rows).map((line) => fitted(line, columns));
}
