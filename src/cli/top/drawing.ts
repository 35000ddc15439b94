import { control } from "../harmless.ts";
import { widthOf } from "./text.ts";

/** What a terminal can, and how large it is. */
export interface Capabilities {
  readonly columns: number;
  readonly rows: number;
  /** Block characters, arrows and dots. */
  readonly unicode: boolean;
  readonly colors: boolean;
}

/** How a piece of a line looks. */
export type Look = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "reverse";

/** A piece of a line, harmless already. */
export interface Piece {
  readonly text: string;
  readonly look?: Look | undefined;
}

/** One line of the screen. */
export type Line = readonly Piece[];

const CODES: Readonly<Record<Look, string>> = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36", reverse: "7" };

/** The text of a line without any looks. */
export function plain(line: Line): string {
  return line
    .map(({ text }) => text)
    .join("")
    .trimEnd();
}

/** How many columns it takes. */
export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + widthOf(text), 0);
}

/** A line as a terminal takes it. */
export function painted(line: Line, colors: boolean): string {
  return line
    .map(({ text, look }) => (look === undefined || !colors ? text : `${control(`\u001b[${CODES[look]}m`)}${text}${control("\u001b[0m")}`))
    .join("");
}

const EIGHTHS = " ▏▎▍▌▋▊▉";
const STEPS = "▁▂▃▄▅▆▇█";
const ASCII_STEPS = "_.-=+*%#";

/** A bar of `width` columns, of which a part from 0 to 1 is filled. */
export function bar(part: number, width: number, { unicode }: Pick<Capabilities, "unicode">): string {
  const filled = Math.max(0, Math.min(1, part)) * width;
  if (!unicode) return "|".repeat(Math.round(filled)).padEnd(width, ".");
  const whole = Math.floor(filled);
  const rest = EIGHTHS[Math.floor((filled - whole) * 8)] ?? "";
  return ("█".repeat(whole) + (whole < width && rest !== " " ? rest : "")).padEnd(width, "·");
}

/** The last `width` values as a curve, of which `most` is the top. */
export function curve(values: readonly number[], most: number, width: number, { unicode }: Pick<Capabilities, "unicode">): string {
  const steps = unicode ? STEPS : ASCII_STEPS;
  const shown = values.slice(-width).map((value) => {
    const step = most <= 0 ? 0 : Math.min(steps.length - 1, Math.floor((value / most) * steps.length));
    return steps[Math.max(0, step)] ?? "";
  });
  return shown.join("").padStart(width);
}
