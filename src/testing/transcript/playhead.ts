import { type Exchange, type Happening, isConstant, isQuery, type Scene, type TimelineEntry } from "./timeline-entry.ts";
import type { Timeline } from "./timeline.ts";
import { placeOf } from "./transcript.ts";

/** What one command causes, in this order. A mismatch causes only a message. */
export type Play =
  | { readonly before: readonly Happening[]; readonly exchange: Exchange; readonly after: readonly Happening[] }
  | { readonly mismatch: string; readonly line: number };

/**
 * The position of a replay in its timeline. It is pure: it says what to send, and sends nothing.
 *
 * Changing commands move it from scene to scene, in the recorded order only. Inside a scene, the n-th request gets the n-th answer, and the
 * last answer stays. A happening makes the answers that were recorded before it outdated. So a replay does not depend on how often a client
 * polls, nor on time.
 */
export class Playhead {
  readonly #timeline: Timeline;
  #scene = 0;
  /** Entries of the scene below this index have happened or are outdated. */
  #now = 0;
  #given = new Set<TimelineEntry>();

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Takes a client's command. `args` in canonical form, `plain` as JSON.parse returns them. */
  ask(command: string, args: string, plain: unknown): Play {
    return isQuery(command, plain) ? this.#query(command, args) : this.#change(command, args);
  }

  /** A client came when there was none: what was recorded after the earlier clients had left may happen from now on. */
  visit(): readonly Happening[] {
    const next = this.#scenes[this.#scene + 1];
    if (next === undefined || next.change !== undefined) return [];
    const rest = this.#happenings(this.#entries.length);
    this.#enter(this.#scene + 1);
    return [...rest, ...this.#following()];
  }

  /** Time passed without a request: the next happening of this scene, with everything that directly follows it. */
  idle(): readonly Happening[] {
    const next = this.#entries.findIndex((entry, index) => index >= this.#now && entry.kind !== "exchange");
    const entry = this.#entries[next];
    if (entry === undefined || entry.kind === "exchange" || isForced(entry)) return [];
    const found = this.#happenings(next + 1);
    return [...found, ...this.#following()];
  }

  /** Everything that is left to happen in this scene, for a QEMU that is ended from outside. */
  rest(): readonly Happening[] {
    return this.#happenings(this.#entries.length);
  }

  /** What happens before the first request. */
  opening(): readonly Happening[] {
    return this.#following();
  }

  /** The next changing command that was recorded and not asked; undefined if there is none. */
  get unplayed(): Exchange | undefined {
    return this.#upcoming()?.change;
  }

  get #scenes(): readonly Scene[] {
    return this.#timeline.scenes;
  }

  get #entries(): readonly TimelineEntry[] {
    return this.#scenes[this.#scene]?.entries ?? [];
  }

  #enter(scene: number): void {
    this.#scene = scene;
    this.#now = 0;
    this.#given = new Set();
  }

  #change(command: string, args: string): Play {
    const upcoming = this.#upcoming();
    if (upcoming === undefined) return this.#mismatchOf(command, args, undefined);
    const { change, index } = upcoming;
    if (change.command !== command || change.arguments !== args) return this.#mismatchOf(command, args, change);
    const before = [
      ...this.#happenings(this.#entries.length),
      ...this.#scenes.slice(this.#scene + 1, index).flatMap((it) => it.entries.filter(isHappening)),
    ];
    this.#enter(index);
    return { before: [...before, ...change.during], exchange: change, after: this.#following() };
  }

  #upcoming(): { readonly change: Exchange; readonly index: number } | undefined {
    for (let index = this.#scene + 1; index < this.#scenes.length; index += 1) {
      const change = this.#scenes[index]?.change;
      if (change !== undefined) return { change, index };
    }
    return undefined;
  }

  #query(command: string, args: string): Play {
    const same = (entry: TimelineEntry): entry is Exchange =>
      entry.kind === "exchange" && entry.command === command && entry.arguments === args;
    const fresh = this.#entries.findIndex((entry, index) => index >= this.#now && same(entry) && !this.#given.has(entry));
    if (fresh >= 0) return this.#give(fresh);
    const stays = this.#entries.findLast(same) ?? this.#earlier(same) ?? this.#later(same);
    if (stays !== undefined) return { before: [], exchange: stays, after: this.#following() };
    return this.#mismatchOf(command, args, undefined);
  }

  /** Equal answers in a row count as one: how often the recorded client polled says nothing about QEMU. */
  #give(index: number): Play {
    const exchange = this.#entries[index] as Exchange;
    const before = this.#happenings(index);
    for (const entry of this.#entries.slice(index)) {
      if (entry.kind !== "exchange") break;
      if (entry.command !== exchange.command || entry.arguments !== exchange.arguments) continue;
      if (substance(entry) !== substance(exchange)) break;
      this.#given.add(entry);
    }
    return { before: [...before, ...exchange.during], exchange, after: this.#following() };
  }

  #earlier(same: (entry: TimelineEntry) => entry is Exchange): Exchange | undefined {
    for (let index = this.#scene - 1; index >= 0; index -= 1) {
      const found = this.#scenes[index]?.entries.findLast(same);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #later(same: (entry: TimelineEntry) => entry is Exchange): Exchange | undefined {
    for (let index = this.#scene + 1; index < this.#scenes.length; index += 1) {
      const scene = this.#scenes[index];
      const found = scene?.entries.find(same);
      const reachable = this.#scenes.slice(this.#scene + 1, index + 1).every((it) => it.change === undefined);
      if (found !== undefined && (reachable || isConstant(found.command))) return found;
    }
    return undefined;
  }

  /** Marks the happenings up to an index as happened, and returns those that had not. */
  #happenings(end: number): readonly Happening[] {
    const found = this.#entries.slice(this.#now, end).filter(isHappening);
    if (found.length > 0) this.#now = this.#entries.findLastIndex((entry, index) => index < end && isHappening(entry)) + 1;
    return found;
  }

  /** What directly follows the answers given so far. It comes by itself, before the next request. */
  #following(): readonly Happening[] {
    let end = this.#now;
    for (let index = this.#now; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry === undefined || (entry.kind === "exchange" ? !this.#given.has(entry) : isForced(entry))) break;
      end = index + 1;
    }
    return this.#happenings(end);
  }

  #mismatchOf(command: string, args: string, expected: Exchange | undefined): Play {
    const asked = args === "{}" ? command : `${command} ${args}`;
    if (expected !== undefined) {
      const wanted = expected.arguments === "{}" ? expected.command : `${expected.command} ${expected.arguments}`;
      return this.#mismatch(expected.line, `${asked} was asked where ${wanted} comes next`);
    }
    const later = this.#scenes
      .flatMap((it) => it.entries)
      .find((it) => it.kind === "exchange" && it.command === command && it.arguments === args);
    if (later !== undefined)
      return this.#mismatch(
        later.line,
        `${asked} was asked too early: it is recorded after ${this.#upcoming()?.change.command ?? "the end"}`,
      );
    const other = this.#scenes
      .flatMap((it) => [...(it.change === undefined ? [] : [it.change]), ...it.entries])
      .find((it) => it.kind === "exchange" && it.command === command);
    const why = other === undefined ? "never recorded" : "recorded only elsewhere or with other arguments";
    return this.#mismatch(other?.line ?? this.#timeline.transcript.entries.at(-1)?.line ?? 1, `${asked} was asked and is ${why}`);
  }

  #mismatch(line: number, why: string): Play {
    return { mismatch: `not as recorded (${placeOf(this.#timeline.transcript, line)}): ${why}`, line };
  }
}

function isHappening(entry: TimelineEntry): entry is Happening {
  return entry.kind !== "exchange";
}

/** Whether it happens only because of something outside: a signal to QEMU. It does not come with time. */
function isForced(entry: Happening): boolean {
  if (entry.kind === "event") return entry.text.includes('"host-signal"');
  return entry.directive.name === "exit" && /^(outside|SIGKILL)\b/.test(entry.directive.status);
}

/** An answer without its id. */
function substance(exchange: Exchange): string | undefined {
  return exchange.reply?.replace(/, "id": \d+\}$|^\{"id": \d+, /, "");
}
