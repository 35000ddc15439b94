import { flow, noteLine, toJson } from "./output.ts";
import type { Call } from "./verb.ts";

/** What a verb answers: a value for programs, lines and notes for people. */
export interface Answer {
  readonly json: unknown;
  readonly lines: readonly string[];
  readonly notes?: readonly string[];
}

/** The answer of a verb that either works or throws. */
export function done(name: string, what: string): Answer {
  return { json: { name, done: what }, lines: [`${name}: ${what}`] };
}

/** Prints an answer: the value if the user asked for JSON, else the lines and notes. */
export function printAnswer(call: Call<never, never>, { json, lines, notes = [] }: Answer): void {
  const { columns } = call.io.stdout;
  printAs(call, json, () => [...lines.map((line) => flow(line, columns)), ...notes.map((note) => noteLine(note, columns))].join(""));
}

/** Prints a value as JSON if the user asked for that, else the text that `draw` makes of it. */
export function printAs<T>({ args, io }: Call<never, never>, value: T, draw: (value: T) => string): void {
  io.stdout.write(args.flag("json") ? `${toJson(value)}\n` : draw(value));
}
