import { AssertionError } from "node:assert";
import { once } from "node:events";
import type { Scenario } from "./scenario.ts";
import type { Ended, Setting, Stage } from "./stage.ts";

/** A command of a story, and its expected result. */
export interface Line {
  /** The text before it. */
  readonly say?: string;
  /** The arguments of `qmpctl`. */
  readonly run: readonly string[];
  /** Its exit code. Default: 0. */
  readonly code?: number;
  /** What its output must have, each a row of a table or a message. */
  readonly shows: readonly RegExp[];
  /** The state after it, in a few words. */
  readonly so: string;
  /** It starts the machine, so the story waits until a real guest is up. */
  readonly boots?: true;
  /** What a real guest must report after it, with memory in bytes. */
  readonly guest?: { readonly cpus?: number; readonly memory?: number };
}

/** A case of the story. */
export interface Act {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** A story on one machine, with only the command line. */
export interface Story {
  readonly tells: string;
  readonly setting: Setting;
  readonly acts: readonly Act[];
}

/** Called while a story runs, to show it. */
export interface Teller {
  act?(act: Act): void;
  /** Called before a command runs. */
  line?(line: Line): void;
  /** Called after a command with the expected result, also from a real guest. */
  told?(line: Line, ended: Ended): void;
}

/** Runs the commands of a story and checks each result. @throws AssertionError at the first one that differs */
export async function tell(story: Story, stage: Stage, teller: Teller = {}, signal?: AbortSignal): Promise<void> {
  for (const act of story.acts) {
    teller.act?.(act);
    for (const line of act.lines) {
      signal?.throwIfAborted();
      teller.line?.(line);
      const ended = await stage.cli(line.run, { NO_COLOR: "1" }, signal);
      signal?.throwIfAborted();
      check(line, ended);
      if (line.boots === true) await orAbort(stage.guest.booted(), signal);
      if (line.guest !== undefined) await orAbort(stage.guest.until(line.guest), signal);
      teller.told?.(line, ended);
    }
  }
}

/** A story as a scenario. */
export function scenarioOf(story: Story): Scenario {
  return { tells: story.tells, through: "program", setting: story.setting, play: (stage) => tell(story, stage) };
}

/** Waits for the guest, unless the run was interrupted. */
async function orAbort(waiting: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return waiting;
  const over = new AbortController();
  const aborted = once(signal, "abort", { signal: over.signal });
  aborted.catch(() => {});
  await Promise.race([waiting, aborted]).finally(() => over.abort());
  signal.throwIfAborted();
}

function check({ run, code = 0, shows }: Line, ended: Ended): void {
  const text = ended.stdout + ended.stderr;
  const missing = shows.find((pattern) => !pattern.test(text));
  if (ended.code === code && missing === undefined) return;
  const why = ended.code === code ? `it does not say ${missing}` : `it ended with ${ended.code}, not with ${code}`;
  throw new AssertionError({ message: `not as told: qmpctl ${run.join(" ")}: ${why}\n${text}`, stackStartFn: check });
}
