import type { ConfigIssue } from "./config-error.ts";
import { formatLimits, isLimits, limitsOf } from "./disk-limits.ts";

/** The rules between the disks of a config: a group has one set of limits. Looks only at values that are right in themselves. */
export function diskRules(throttle: Readonly<Record<string, unknown>>): readonly ConfigIssue[] {
  const first = new Map<string, readonly [disk: string, limits: string]>();
  return Object.entries(throttle).flatMap(([disk, value]): readonly ConfigIssue[] => {
    if (!isLimits(value) || value.group === undefined) return [];
    const limits = formatLimits(limitsOf(value));
    const [other, theirs] = first.get(value.group) ?? [disk, limits];
    first.set(value.group, [other, theirs]);
    return limits === theirs
      ? []
      : [{ path: `disks.throttle.${disk}`, value, expected: `the limits of its group, as ${other} has them: ${theirs}` }];
  });
}
