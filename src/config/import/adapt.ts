import { isJson, itemsOf, keyOf, valuesOf } from "../option-values.ts";
import { escapeCommas, type Option, splitOptions } from "../options.ts";

/** Options that can live without their first owner, and one line on each that was replaced or left out. */
export interface Adapted {
  readonly options: readonly Option[];
  readonly notes: readonly string[];
}

/** What is to become of an option: other words in its place, or none; and why. Undefined: it stays. */
export type Fate = { readonly why: string; readonly now?: readonly string[] } | { readonly stays: string } | undefined;

/** Decides on each option by itself. */
export function adapt(options: readonly Option[], fateOf: (option: Option) => Fate): Adapted {
  const notes: string[] = [];
  const kept = options.flatMap((option): readonly Option[] => {
    const fate = fateOf(option);
    if (fate === undefined) return [option];
    if ("stays" in fate) {
      notes.push(`${shown(option)}: ${fate.stays}`);
      return [option];
    }
    notes.push(`${shown(option)}: ${fate.now === undefined ? "left out" : `now ${fate.now.join(" ")}`}: ${fate.why}`);
    return splitOptions(fate.now ?? []);
  });
  return { options: kept, notes };
}

/** How much of an option is shown, in characters: some are pages of JSON. */
const SHOWN = 70;

function shown({ words }: Option): string {
  const text = words.join(" ");
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** The keys by which an option uses what another one made. */
const USES: readonly string[] = ["chardev", "tpmdev", "netdev", "fsdev"];

/** Leaves out what uses a part that is left out, and what uses that: a device without its back end can't start. */
export function withoutUsers({ options, notes }: Adapted, gone: readonly string[], why: string): Adapted {
  const ids = new Set(gone);
  let now: Adapted = { options, notes };
  for (let before = -1; before !== ids.size;) {
    before = ids.size;
    const next = adapt(now.options, (option) => {
      const values = valuesOf(option, "driver");
      if (option.name === "mon" || !USES.some((key) => ids.has(values.get(key) ?? ""))) return undefined;
      const id = values.get("id");
      if (id !== undefined) ids.add(id);
      return { why };
    });
    now = { options: next.options, notes: [...now.notes, ...next.notes] };
  }
  return now;
}

/** The words of an option with one of its values changed, or taken out if it is undefined, in the notation that it has. */
export function withValue({ name, value = "" }: Option, key: string, to: string | undefined): readonly string[] {
  if (isJson(value)) {
    const { [key]: _, ...others } = JSON.parse(value) as Record<string, unknown>;
    return [`-${name}`, JSON.stringify(to === undefined ? others : { ...others, [key]: to })];
  }
  const items = itemsOf(value).flatMap((item) => (keyOf(item) !== key ? [item] : to === undefined ? [] : [`${key}=${escapeCommas(to)}`]));
  return [`-${name}`, items.join(",")];
}

/** Does one after the other. */
export function inTurn(options: readonly Option[], ...steps: readonly ((options: readonly Option[]) => Adapted)[]): Adapted {
  return steps.reduce<Adapted>(
    (so, step) => {
      const next = step(so.options);
      return { options: next.options, notes: [...so.notes, ...next.notes] };
    },
    { options, notes: [] },
  );
}
