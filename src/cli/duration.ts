import { millisecondsOf } from "../domain/model/duration.ts";
import type { Arguments } from "./options.ts";
import { misuse } from "./options.ts";

// The longest time that a timer of Node can hold. A longer one would fire at once.
const longest = 2 ** 31 - 1;

/**
 * Milliseconds of a time as typed: `500ms`, `30s`, `5min`, `1h 30min`, `1d`; a bare number counts seconds.
 * @throws UsageError for anything else, for 0, and for more than 24 days
 */
export function parseDuration(text: string): number {
  const time = Math.round(/^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : millisecondsOf(text));
  if (time > 0 && time <= longest) return time;
  const expected = "a time above 0 and at most 24 days, such as 500ms, 30s, 5min or 1h (a bare number is seconds)";
  throw misuse(`${JSON.stringify(text)}: not a time; give ${expected}`, text, expected);
}

/** `--timeout` in a shape that spreads into options. If it is absent it stays absent, so that the library's default applies. */
export function timeoutOf(args: Arguments<never, "timeout">): { readonly timeout?: number } {
  const text = args.text("timeout");
  return text === undefined ? {} : { timeout: parseDuration(text) };
}

/** Milliseconds as people say them: `40 ms`, `1.2 s`, `2 min 5 s`, `3 h 2 min`, `4 days 1 h`. */
export function showDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes < 60) return joined(minutes, "min", seconds % 60, "s");
  if (hours < 24) return joined(hours, "h", minutes % 60, "min");
  return joined(days, days === 1 ? "day" : "days", hours % 24, "h");
}

function joined(large: number, unit: string, small: number, part: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${part}`;
}
