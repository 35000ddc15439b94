import { type CellAbout, type Column, COLUMNS, lookOfState } from "./columns.ts";
import { type Capabilities, type Line, lineWidth, type Piece } from "./drawing.ts";
import type { DomainFrame } from "./frame.ts";
import { notesOn } from "./notes.ts";
import { cut, pad, widthOf } from "./text.ts";
import type { View } from "./view.ts";

/** The columns for a terminal, and what is left for names and notes. */
export interface Layout {
  readonly columns: readonly Column[];
  readonly name: number;
  /** 0 where there is no room for words. */
  readonly notes: number;
}

/** The narrowest and the widest column of names. */
const NAME = 11;
const LONGEST_NAME = 32;
/** In less room, words can't be read. */
const NOTES = 16;
/** In front of each name. */
const MARKER = 2;

/** Chooses what fits: the most important columns, the names as wide as they are, and words on what is noted where there is room. */
export function layoutFor(width: number, domains: readonly DomainFrame[]): Layout {
  const fits = COLUMNS.filter(({ from = 0, to = Infinity }) => width >= from && width <= to).toSorted(
    (one, other) => one.rank - other.rank,
  );
  let room = width - MARKER - NAME;
  const chosen = new Set<Column>();
  for (const column of fits) {
    if (column.width + 1 > room) break;
    chosen.add(column);
    room -= column.width + 1;
  }
  const longest = domains.reduce((most, { name }) => Math.max(most, widthOf(name)), 0);
  const name = NAME + Math.max(0, Math.min(room, Math.min(LONGEST_NAME, longest) - NAME));
  const left = room - (name - NAME) - 1;
  return { columns: COLUMNS.filter((each) => chosen.has(each)), name, notes: left >= NOTES ? left : 0 };
}

/** The titles of the table. The one that it is sorted by is marked. */
export function titles({ columns, name, notes }: Layout, { order, isReversed }: View, can: Capabilities): Line {
  const arrow = (isUp: boolean): string => (can.unicode ? (isUp ? "▲" : "▼") : isUp ? "^" : "v");
  // Numbers fall, names rise, unless reversed.
  const isUp = (order === "name" || order === "state") !== isReversed;
  const marked = (title: string, width: number, isIt: boolean): string =>
    isIt ? (title.length < width ? `${title}${arrow(isUp)}` : `${title.slice(0, width - 1)}${arrow(isUp)}`) : title;
  const cells = columns.map((column) =>
    pad(marked(column.title, column.width, column.order === order), column.width, column.right === true),
  );
  const text = `${" ".repeat(MARKER)}${pad(marked("NAME", name, order === "name"), name)} ${cells.join(" ")}${notes > 0 ? " NOTES" : ""}`;
  return [{ text: pad(text, can.columns), look: "reverse" }];
}

/** The line of one domain. */
export function domainLine(
  domain: DomainFrame,
  { columns, name, notes }: Layout,
  { past, can, isSelected }: { readonly past: readonly number[]; readonly can: Capabilities; readonly isSelected: boolean },
): Line {
  const more = can.unicode ? "…" : "~";
  const cells = columns.flatMap((column): Piece[] => {
    const about: CellAbout = { domain, past, can, width: column.width };
    const { text, look } = column.cell(about);
    return [{ text: " " }, { text: pad(text, column.width, column.right === true), look }];
  });
  const words = notesOn(domain, can.unicode ? "→" : "->").map((note) => note.words);
  const line: Line = [
    { text: isSelected ? "> " : "  ", look: isSelected ? "bold" : undefined },
    { text: pad(cut(domain.name, name, more), name), look: domain.defined ? (isSelected ? "bold" : undefined) : "dim" },
    ...cells,
    ...(notes > 0 && words.length > 0 ? [{ text: ` ${cut(words.join("; "), notes, more)}`, look: noteLook(domain) }] : []),
  ];
  if (!isSelected) return line;
  // In one look, so that the eye finds it.
  return [{ text: pad(line.map(({ text }) => text).join(""), can.columns), look: "reverse" }];
}

function noteLook(domain: DomainFrame): Piece["look"] {
  return domain.interrupted
    ? "red"
    : domain.differs.length > 0 || domain.memory.target !== null
      ? "yellow"
      : lookOfState(domain.state) === "red"
        ? "red"
        : "dim";
}

/** A line that is cut where the terminal ends. */
export function fitted(line: Line, width: number): Line {
  if (lineWidth(line) <= width) return line;
  let room = width;
  return line.flatMap((piece): Piece[] => {
    if (room <= 0) return [];
    const text = widthOf(piece.text) <= room ? piece.text : cut(piece.text, room, "");
    room -= widthOf(piece.text);
    return text === "" ? [] : [{ ...piece, text }];
  });
}
