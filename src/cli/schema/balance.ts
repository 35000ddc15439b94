import type { BalanceMove } from "../../domain/balance/round.ts";
import { boolean, like, nullable, number, object, optional, type Shape, string, words } from "../../shape.ts";
import type { BalanceLine } from "../balance-lines.ts";
import { report } from "./report.ts";

const KINDS: Readonly<Record<BalanceMove["kind"], true>> = { grow: true, shrink: true, "give-up": true };
const OUTCOMES: Readonly<Record<BalanceMove["outcome"], true>> = {
  ...{ planned: true, unchanged: true, applied: true, pending: true },
  ...{ "rolled-back": true, failed: true, refused: true, interrupted: true },
};

type Line<W extends BalanceLine["what"]> = Extract<BalanceLine, { readonly what: W }>;

const only = <W extends string>(word: W): Shape<W> => words<W>({ [word]: true } as Readonly<Record<W, true>>);

const lines: readonly Shape<unknown>[] = [
  like<Line<"move">>({
    ...{ at: string, what: only("move"), domain: string, kind: words(KINDS), from: number, to: number, actual: nullable(number) },
    ...{ outcome: words(OUTCOMES), needy: boolean, why: string, failure: optional(string), report: optional(report) },
  }),
  like<Line<"stay">>({ at: string, what: only("stay"), domain: string, why: string, out: boolean, needy: boolean }),
  like<Line<"host">>({ at: string, what: only("host"), total: number, available: number, free: number, pressed: boolean }),
  object({ at: string, what: only("note"), note: string }),
];

/** What each line of `balance --json` is. */
export const balanceLine: Shape<BalanceLine> = {
  fits: (value): value is BalanceLine => lines.some(({ fits }) => fits(value)),
  faults: (value, path) => (lines.some(({ fits }) => fits(value)) ? [] : [{ path, why: "no line of a balance" }]),
  schema: () => ({ anyOf: lines.map(({ schema }) => schema()) }),
};
