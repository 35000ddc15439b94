import { nearest } from "../nearest.ts";
import type { Shape } from "../shape.ts";
import type { ConfigIssue } from "./config-error.ts";

/**
 * Keys that are unknown, and near to a known key that is absent: `memroy`. Other unknown keys are left alone, but such a key would be
 * ignored, and its value would never take effect.
 */
export function misspelledKeys(
  raw: unknown,
  { members }: Pick<Shape<unknown>, "members">,
  at: readonly string[] = [],
): readonly ConfigIssue[] {
  if (members === undefined || typeof raw !== "object" || raw === null || Array.isArray(raw)) return [];
  const absent = Object.keys(members).filter((key) => !Object.hasOwn(raw, key));
  return Object.entries(raw).flatMap(([key, value]): readonly ConfigIssue[] => {
    const own = Object.hasOwn(members, key) ? members[key] : undefined;
    if (own !== undefined) return misspelledKeys(value, own, [...at, key]);
    // A short name is near to many others.
    const meant =
      key.length < 3
        ? undefined
        : nearest(
            key,
            absent.filter((each) => each.length > 2),
          );
    return meant === undefined
      ? []
      : [{ path: [...at, key].join("."), value, expected: `the key ${JSON.stringify(meant)}: did you mean that?` }];
  });
}
