import { AssertionError } from "node:assert";
import { once } from "node:events";
import type { Scenario } from "./scenario.ts";
import type { Ended, Setting, Stage } from "./stage.ts";

/** A command of a story, and what must come of it. */
export interface Line {
  /** What is told before it. */
  readonly say?: string;
  /** The words after `qmpctl`. */
  readonly run: readonly string[];
  /** Its exit code; 0 unless given. */
  readonly code?: number;
  /** What its output has to say, one table row or message each. */
  readonly shows: readonly RegExp[];
  /** What is so when it has ended, in a few words. */
  readonly so: string;
  /** It started the machine: a real guest has to come up before the story goes on. */
  readonly boots?: true;
  /** What a real guest reports then. Memory in bytes. */
  readonly guest?: { readonly cpus?: number; readonly memory?: number };
}

/** A case of the story. */
export interface Act {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** A story on one machine, told by the command line only. */
export interface Story {
  readonly tells: string;
  readonly setting: Setting;
  readonly acts: readonly Act[];
}

/** Who tells a story listens here. */
export interface Teller {
  act?(act: Act): void;
  /** Before the command is run. */
  line?(line: Line): void;
  /** The command has ended, and all was as told; also the guest, where there is one. */
  told?(line: Line, ended: Ended): void;
}

/** Tells a story: runs each command and checks what comes of it. Throws AssertionError at the first line that is not as told. */
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

/** A story is a scenario like others. */
export function scenarioOf(story: Story): Scenario {
  return { tells: story.tells, through: "program", setting: story.setting, play: (stage) => tell(story, stage) };
}

/** Waits, but not for a guest that nobody wants to hear any more. */
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
