import type { BalanceMove } from "../domain/balance/round.ts";
import type { BalanceRound } from "../domain/balance/shapes.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { oneLine } from "./harmless.ts";
import { flow, painter, showSize, type Style, toJson } from "./output.ts";
import type { Io } from "./verb.ts";

/** What is printed: one line, or one object, for each move, and for each machine that stays. */
export type BalanceLine = { readonly at: string } & (
  | ({ readonly what: "move" } & BalanceMove)
  | { readonly what: "stay"; readonly domain: string; readonly why: string; readonly out: boolean; readonly needy: boolean }
  | ({ readonly what: "host" } & BalanceRound["host"])
  | { readonly what: "note"; readonly note: string }
);

/** How a balance is shown. */
export interface BalanceShown {
  readonly json: boolean;
  /** Each machine that stays is shown, in each round; else only those that can't have what they need, when the reason is another one. */
  readonly whole: boolean;
  /** The user has named the machines. */
  readonly isNamed: boolean;
}

const STYLES: Readonly<Partial<Record<BalanceMove["outcome"], Style>>> = {
  ...{ applied: "green", unchanged: "dim", pending: "yellow" },
  ...{ "rolled-back": "red", failed: "red", refused: "red", interrupted: "red" },
};

/** What went worst decides about the exit code, from the worst. */
const WORST: readonly number[] = [EXIT.partial, EXIT.failed, EXIT.refused, EXIT.pending, EXIT.done];

/** Prints rounds as they come, and knows what became of them. */
export class BalancePrinter {
  readonly #io: Io;
  readonly #how: BalanceShown;
  /** The last reason of each machine, without its numbers, and whether the host was pressed. */
  readonly #said = new Map<string, string>();
  #codes: number[] = [];
  #isPutBack = true;
  #isUndone = false;

  constructor(io: Io, how: BalanceShown) {
    this.#io = io;
    this.#how = how;
  }

  /** Resolves when there is room for more. */
  async print(round: BalanceRound): Promise<void> {
    for (const line of this.#linesOf(round)) {
      this.#io.stdout.write(this.#how.json ? `${toJson(line)}\n` : this.#draw(line));
      await this.#io.stdout.drained?.();
    }
    if (round.ended === true) {
      this.#isPutBack = false;
      return;
    }
    this.#isUndone ||= round.moves.some(({ outcome }) => outcome === "interrupted");
    this.#codes = [...round.moves.map(codeOf), ...this.#leftOut(round)];
  }

  /** Of one round what became of it; of an endless work that was ended, whether all of it ended well. */
  exitCode(isInterrupted: boolean): number {
    if (!isInterrupted) return WORST.find((code) => this.#codes.includes(code)) ?? EXIT.done;
    if (this.#codes.includes(EXIT.partial)) return EXIT.partial;
    if (this.#isUndone) return EXIT.interrupted;
    return this.#isPutBack ? EXIT.done : EXIT.failed;
  }

  #leftOut({ stays, moves }: BalanceRound): readonly number[] {
    const out = stays.filter((stay) => stay.out).length;
    const isAll = out > 0 && out === stays.length && moves.length === 0;
    return isAll || (this.#how.isNamed && out > 0) ? [EXIT.refused] : [];
  }

  #linesOf({ at, host, moves, stays, notes, ended }: BalanceRound): readonly BalanceLine[] {
    const news = (key: string, words: string): boolean => {
      const isNew = this.#how.whole || this.#said.get(key) !== words;
      this.#said.set(key, words);
      return isNew;
    };
    const isHostNew = ended !== true && news("", String(host.pressed));
    for (const { domain } of moves) this.#said.delete(`/${domain}`);
    const isNobody = ended !== true && moves.length + stays.length === 0;
    if (!isNobody) this.#said.delete("nobody");
    return [
      ...(isHostNew ? [{ at, what: "host" as const, ...host }] : []),
      ...(isNobody && news("nobody", "") ? [{ at, what: "note" as const, note: "no machine runs" }] : []),
      ...notes.map((note) => ({ at, what: "note" as const, note })),
      ...moves.map((move) => ({ at, what: "move" as const, ...move })),
      ...stays
        .filter(({ out, needy }) => this.#how.whole || out || needy)
        .filter(({ domain, why }) => news(`/${domain}`, why.replace(/\d+/g, "#")))
        .map((stay) => ({ at, what: "stay" as const, ...stay })),
    ];
  }

  #draw(line: BalanceLine): string {
    const { stdout, env } = this.#io;
    const paint = painter(stdout, env);
    const time = new Date(line.at).toTimeString().slice(0, 8);
    // Painted after it is broken into lines: what a terminal does not show must not count.
    const text = flow(oneLine(`${time} ${wordsOf(line)}`), stdout.columns);
    const style = line.what === "move" ? STYLES[line.outcome] : "dim";
    return style === undefined
      ? text
      : text
          .split("\n")
          .map((each) => (each === "" ? "" : paint(each, style)))
          .join("\n");
  }
}

function wordsOf(line: BalanceLine): string {
  if (line.what === "note") return line.note;
  if (line.what === "stay") return `${line.domain} stays: ${line.why}`;
  if (line.what === "host") {
    const { available, total, free, pressed } = line;
    const give = free < 0 ? `${size(-free)} more were promised to guests than it has` : `${size(free)} to give`;
    return `host: ${size(available)} of ${size(total)} available, ${give}${pressed ? "; it waits for memory" : ""}`;
  }
  const { domain, from, to, actual, outcome, why, failure } = line;
  const now = outcome === "pending" && actual !== null ? `, at ${size(actual)} now` : "";
  return `${domain} ${size(from)} -> ${size(to)}, ${outcome}${now}: ${failure === undefined ? why : `${failure}; wanted because ${why}`}`;
}

/** Whole MiB are near enough where nobody types them. */
function size(bytes: number): string {
  return showSize(bytes < 2 ** 20 ? bytes : Math.round(bytes / 2 ** 20) * 2 ** 20);
}

function codeOf({ outcome, report }: BalanceMove): number {
  if (outcome === "interrupted") return report === undefined ? EXIT.interrupted : exitCodeOf(report);
  return report === undefined ? (outcome === "planned" ? EXIT.done : EXIT.failed) : exitCodeOf(report);
}
