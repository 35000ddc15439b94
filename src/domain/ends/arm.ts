import type { StatePaths } from "../../config/runtime.ts";
import { replaceFile } from "../../config/safe-file.ts";
import { HostError, messageOf } from "../../errors.ts";
import { ownNode, ownProgram, type OwnProgram } from "../../host/own-program.ts";
import { isPlainWord, type Timer, type TimerKind, timersHere } from "../../host/timers.ts";
import type { Place } from "../machine/place.ts";
import type { Moment } from "./moment.ts";

/** How timers for the ends of a machine's changes are armed here. */
export interface TimerPlan {
  readonly kinds: readonly TimerKind[];
  readonly program: OwnProgram;
  readonly place: Place;
  readonly books: Pick<StatePaths, "endProgram">;
}

/** Finds out how a timer can be armed here; a text says why none can. */
export async function timerPlan(place: Place, books: Pick<StatePaths, "endProgram">): Promise<TimerPlan | string> {
  const program = ownProgram();
  if (program === undefined) return "no file has the program that a timer would run";
  const plan: TimerPlan = { kinds: [], program, place, books };
  const odd = [...wordsOf(plan, "0"), ...Object.values(environmentOf(plan))].find((word) => !isPlainWord(word));
  if (odd !== undefined) return `a timer's command can't have ${JSON.stringify(odd)} in it: letters, digits and / . _ + , : = @ ~ - only`;
  const { kinds, why } = await timersHere();
  return kinds.length === 0 ? `no timer of this host works: ${why.join("; ")}` : { ...plan, kinds };
}

/** A timer that was armed, when it fires, and what the user has to know of it. */
export interface Armed {
  readonly timer: Timer;
  /** Milliseconds since 1970. */
  readonly due: number;
  readonly caveat?: string | undefined;
}

/**
 * Arms a timer that takes a change back: of the first kind that works. `attempt` counts from 1, and is in the timer's name: its own unit is
 * there still when it arms the next one.
 *
 * @throws HostError with what each of them said
 */
export async function armTimer(plan: TimerPlan, key: string, attempt: number, moment: Moment): Promise<Armed> {
  const { program, books } = plan;
  // The program of another host that was sent here is in no file.
  if ("text" in program) await replaceFile(books.endProgram, program.text(), { flush: true });
  const why: string[] = [];
  for (const { arm, step, caveat } of plan.kinds) {
    // Later rather than sooner: what fires early would find nothing to do.
    const due = Math.ceil(moment(Date.now()) / step) * step;
    const word = `${key}-${attempt}`;
    try {
      return { timer: await arm({ key: word, due, words: wordsOf(plan, word), env: environmentOf(plan) }), due, caveat };
    } catch (error) {
      why.push(messageOf(error));
    }
  }
  throw new HostError(`no timer could be armed: ${why.join("; ")}`);
}

/** When a timer of the best kind that works here would fire. */
export function dueOf({ kinds: [best] }: TimerPlan, moment: Moment): number {
  const step = best?.step ?? 1;
  return Math.ceil(moment(Date.now()) / step) * step;
}

/** The whole command: only absolute paths, fixed words and the key. */
function wordsOf({ program, place, books }: TimerPlan, key: string): readonly string[] {
  const file = "path" in program ? program.path : books.endProgram;
  return [ownNode(), file, "revert", place.config?.path ?? place.address ?? "", "--end", key];
}

/** A timer has no environment of ours: it is told where everything is. */
function environmentOf({ place: { folders } }: TimerPlan): Readonly<Record<string, string>> {
  return { QMPCTL_CONFIG_DIR: folders.config, QMPCTL_RUNTIME_DIR: folders.runtime, QMPCTL_STATE_DIR: folders.state };
}
