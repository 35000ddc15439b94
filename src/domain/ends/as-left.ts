import type { LiveFacts } from "../facts/facts.ts";
import { formatValue, kindOf, nameOf } from "../resources/registry.ts";
import type { ChangeEnd, EndItem } from "./change-end.ts";
import { showMoment } from "./show-moment.ts";

/**
 * Whether a value is still as the change left it: the same change would do nothing, or the guest is still on its way to that value. Only
 * then is it taken back.
 */
export function isAsLeft({ change }: Pick<EndItem, "change">, facts: LiveFacts): boolean {
  const kind = kindOf(change);
  if (!kind.needed(change, facts)) return true;
  return kind.isAsked?.(change, facts) === true || (kind.back !== undefined && kind.back(change, facts) === kind.wanted(change));
}

/** `memory 4GiB, then 2GiB again`. */
export function describeItem({ change, before }: EndItem): string {
  const name = nameOf(change);
  return `${name} ${formatValue(name, kindOf(change).wanted(change))}, then ${formatValue(name, before)} again`;
}

/** `until 2026-11-27 07:00 UTC: memory 4GiB, then 2GiB again`. */
export function describeEnd({ due, items }: Pick<ChangeEnd, "due" | "items">): string {
  return `until ${showMoment(due)}: ${items.map(describeItem).join("; ")}`;
}
