import { formatSize } from "../config/size.ts";
import { control, oneLine } from "./harmless.ts";
import type { Io, Sink } from "./verb.ts";

/** How a cell or a line is drawn on a terminal. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow";

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Draws text in a style, or leaves it as it is. */
export type Paint = (text: string, style: Style) => string;

/** Uses colours only if the sink is a terminal, TERM is not dumb, and NO_COLOR is not set (no-color.org). */
export function painter(sink: Sink, env: Io["env"]): Paint {
  const plain = !sink.isTTY || env["TERM"] === "dumb" || (env["NO_COLOR"] ?? "") !== "";
  return plain
    ? (text) => text
    : (text, style) => `${control(`\u001b[${codes[style][0]}m`)}${text}${control(`\u001b[${codes[style][1]}m`)}`;
}

/** One cell of a table: its text, and how it is drawn. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** How a table is drawn. */
export interface TableOptions {
  readonly header?: readonly string[];
  /** Columns (from 0) that hold numbers. */
  readonly right?: readonly number[];
  readonly paint?: Paint;
  /** How many of the first columns name the row. Default: 1. */
  readonly titles?: number;
  /** The terminal's width. The last column wraps to fit, or goes on lines of its own if there is too little room. */
  readonly columns?: number | undefined;
}

const gap = "  ";
/** A text up to this length gets no line of its own below its row. */
const SHORT = 40;
/** In less room than this, text is hard to read. */
const narrowest = (columns: number): number => Math.min(40, Math.floor(columns / 2));
const indent = " ".repeat(4);

/**
 * Aligned columns, one line a row, each with a newline at its end. No trailing blanks, so that pipes and diffs stay clean.
 * If the terminal is too narrow for the columns, each row becomes a paragraph.
 */
export function table(rows: readonly (readonly Cell[])[], options: TableOptions = {}): string {
  const { header, right = [], paint = (text) => text } = options;
  const all = header === undefined ? rows : [header.map((text) => ({ text, style: "bold" as const })), ...rows];
  const widths: number[] = [];
  for (const row of all) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, textOf(cell).length)));
  const used = widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0);
  const room = options.columns === undefined ? Infinity : options.columns - used;
  const last = widths.at(-1) ?? 0;
  const isTooWide = room <= 0 || (last > room && last <= SHORT && room < narrowest(options.columns ?? Infinity));
  if (header !== undefined && isTooWide) return paragraphs(rows, header, { ...options, paint });
  const lines = all.map((row) => {
    const cells = row.map((cell, i) => {
      const text = textOf(cell);
      if (i === widths.length - 1 && !right.includes(i))
        return lastCell(text, options.columns ?? Infinity, used)
          .map((line) => styled(line, cell, paint))
          .join("\n");
      const blank = " ".repeat((widths[i] ?? 0) - text.length);
      return right.includes(i) ? blank + styled(text, cell, paint) : styled(text, cell, paint) + blank;
    });
    return cells.join(gap).replace(/ +$/gm, "") + "\n";
  });
  return lines.join("");
}

/** Each row as a title, with its other cells below. */
function paragraphs(
  rows: readonly (readonly Cell[])[],
  header: readonly string[],
  options: TableOptions & { readonly paint: Paint },
): string {
  const { paint, columns, right = [], titles = 1 } = options;
  return rows
    .map((row) => {
      const facts = row
        .slice(titles)
        .flatMap((cell, i): Cell[][] => (textOf(cell) === "" ? [] : [[`${gap}${header[titles + i] ?? ""}`, cell]]));
      // A number means nothing without its name.
      const title = row
        .slice(0, titles)
        .map((cell, i) => (right.includes(i) ? `${header[i] ?? ""} ${textOf(cell)}` : textOf(cell)))
        .join(" ")
        .trim();
      return `${title === "" ? "" : `${paint(title, "bold")}\n`}${table(facts, { paint, columns })}`;
    })
    .join("");
}

/** The lines of a row's last cell. The first one comes without the columns before it. */
function lastCell(text: string, columns: number, used: number): string[] {
  const room = columns - used;
  if (text.length <= room) return [text];
  const below = room < narrowest(columns);
  const lines = wrap(text, below ? columns - indent.length : room);
  return below ? ["", ...lines.map((line) => indent + line)] : lines.map((line, i) => (i === 0 ? line : " ".repeat(used) + line));
}

function textOf(cell: Cell): string {
  return oneLine(typeof cell === "string" ? cell : cell.text);
}

function styled(text: string, cell: Cell, paint: Paint): string {
  return typeof cell === "string" || text === "" ? text : paint(text, cell.style);
}

/** Where a line may break. "did you mean X" stays together. */
const BREAK = /(?<!\bdid|\bdid you|\bdid you mean) /;

/** Breaks at blanks so that no line is longer than `room`. A longer word stays whole. */
export function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(BREAK)) {
    if (line === "") line = word;
    else if (line.length + 1 + word.length <= room) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** An outside text as one line with a newline. On a terminal it wraps between words, and keeps its indentation. */
export function flow(text: string, columns: number = Infinity): string {
  const begin = /^ */.exec(text)?.[0] ?? "";
  return wrap(oneLine(text.slice(begin.length)), columns - begin.length)
    .map((line) => `${begin}${line}\n`)
    .join("");
}

/** A note, within the terminal's width. */
export function noteLine(note: string, columns: number = Infinity): string {
  return flow(`note: ${note}`, columns);
}

const mebi = 2 ** 20;

/**
 * Bytes for people, in the largest unit that is exact (`1536MiB`), so that it can be typed back.
 * If it is not a whole number of MiB (a moving balloon), it is rounded to a tenth of one.
 */
export function showSize(bytes: number): string {
  return bytes % mebi === 0 || bytes < mebi ? formatSize(bytes) : `${(bytes / mebi).toFixed(1)}MiB`;
}

/** One JSON value on one line, or indented. Integers that are too large for a double are written in full. */
export function toJson(value: unknown, indent?: number): string {
  // JSON.stringify can't write a bigint. Each becomes a string with a mark, and the marks are removed afterwards.
  const mark = "\u0000";
  let marked = false;
  const text = JSON.stringify(
    value ?? null,
    (_, member: unknown) => {
      if (typeof member !== "bigint") return member;
      marked = true;
      return `${mark}${member}`;
    },
    indent,
  );
  return marked ? text.replace(/"\\u0000(-?\d+)"/g, "$1") : text;
}
