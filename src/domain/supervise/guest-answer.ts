import { dirname } from "node:path";
import { consoleSources } from "../../config/guest-console.ts";
import { runtimePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { messageOf, UsageError } from "../../errors.ts";
import { withAgent } from "../facts/guest-agent.ts";
import { consoleIn } from "../lifecycle/launch.ts";
import type { Place } from "../machine/place.ts";
import type { GuestAnswer } from "../model/action.ts";
import { StateError } from "../model/errors.ts";
import { type ConsoleReader, readerFor } from "./console-reader.ts";

/** Looks for a guest's answer. */
export interface AnswerSource {
  /** Looks once, for at most `time` milliseconds: the answer, in words; undefined if there is none yet. */
  look(time: number): Promise<string | undefined>;
  /** What was seen instead, so far. */
  seen(): string;
  /** How long to pause between looks, in milliseconds. */
  readonly pause: number;
}

/**
 * How a machine's guest will show that it is up. Made before its start, so that what can't be waited for is refused before anything is
 * done.
 *
 * @throws StateError when the config has no such way; UsageError for a pattern that is none
 */
export function answerSource(place: Place, stored: Stored, wanted: GuestAnswer): AnswerSource {
  return "console" in wanted ? consoleAnswer(place, stored, wanted.console) : agentAnswer(stored);
}

/** How long an agent has for one answer, in milliseconds: a guest that boots drops what is said to it. */
const AGENT = 2000;

function agentAnswer({ config }: Stored): AnswerSource {
  const path = config.agent;
  if (path === undefined)
    throw new StateError(
      `${config.name}: its config names no guest agent ("agent") to wait for; what its guest writes on its console can be waited for too (--wait-for PATTERN)`,
      "settled",
    );
  let last = "nothing was asked yet";
  return {
    pause: 500,
    async look(time) {
      try {
        await withAgent(path, Math.min(AGENT, time), async () => undefined);
        return `its guest agent answers at ${path}`;
      } catch (error) {
        last = messageOf(error).replace(`unix:${path}: `, "");
        return undefined;
      }
    },
    seen: () => `its guest agent at ${path}: ${last}`,
  };
}

/** Longer lines are looked at in pieces, in characters. */
const LINE = 4096;
/** As much of a line is shown. */
const SHOWN = 160;

function consoleAnswer(place: Place, { config, path }: Stored, text: string): AnswerSource {
  const pattern = patternOf(text);
  const sources = consoleSources(config.args, dirname(path));
  if (sources.length === 0)
    throw new StateError(
      `${config.name}: its console can't be read: give it one that is a file (-serial file:PATH), or that has a log (-chardev …,id=con0,logfile=PATH -serial chardev:con0)`,
      "settled",
    );
  const { output } = consoleIn(runtimePaths(place.folders, place.config?.key ?? place.name).folder);
  const lines = sources.map((source) => new ConsoleLines(readerFor(source, output)));
  return {
    pause: 200,
    async look() {
      return lines.map((each) => each.find(pattern)).find((line) => line !== undefined);
    },
    seen: () => lines.map((each) => each.seen()).join("; "),
  };
}

/** @throws UsageError when it is no regular expression, or one that is everywhere */
function patternOf(text: string): RegExp {
  const expected = "a text on the guest's console, or a regular expression, as login:";
  if (text === "") throw new UsageError('"": an empty pattern is found in every line', { value: text, expected });
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    throw new UsageError(`${JSON.stringify(text)}: not a pattern: ${messageOf(cause)}`, { value: text, expected }, { cause });
  }
}

/** What a terminal would not show: control characters, and colours and the like. Source: ECMA-48, control sequences. */
const UNSEEN = /(?!\t)\p{Cc}(\[[0-?]*[ -/]*[@-~])?/gu;

/** The lines of a console. The last one may go on: a prompt has no end. */
class ConsoleLines {
  readonly #reader: ConsoleReader;
  #rest = "";
  #last = "";

  constructor(reader: ConsoleReader) {
    this.#reader = reader;
  }

  /** The first new line with the pattern in it. */
  find(pattern: RegExp): string | undefined {
    const lines = (this.#rest + this.#reader.read()).split(/\r?\n/);
    this.#rest = (lines.at(-1) ?? "").slice(-LINE);
    const plain = lines.map((line) => line.slice(0, LINE).replace(UNSEEN, "").trim());
    this.#last = plain.findLast((line) => line !== "") ?? this.#last;
    return plain.find((line) => pattern.test(line))?.slice(0, SHOWN);
  }

  seen(): string {
    const { path, why } = this.#reader;
    if (this.#last !== "") return `the last on its console (${path}) is ${JSON.stringify(this.#last.slice(0, SHOWN))}`;
    return why === undefined ? `nothing is on its console (${path})` : `its console (${path}) can't be read: ${why}`;
  }
}
