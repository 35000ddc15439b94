import type { DomainFrame } from "./frame.ts";
import { shortSize } from "./text.ts";

/** What there is to note of a domain: a letter for the table, and words. */
export interface Note {
  readonly mark: string;
  readonly words: string;
}

/** What each mark means, for the help. */
export const MARKS: readonly (readonly [mark: string, means: string])[] = [
  ["!", "a change was interrupted: recover"],
  ["N", "config differs, waits for the next start"],
  ["D", "config and machine drifted apart: diff"],
  ["M", "on its way: balloon, or vCPUs being unplugged"],
  ["x", "QEMU does not answer, or another client has it"],
  ["o", "has no config here: only /proc is read"],
];

/** All of them, the most urgent first. `arrow` stands between two values. */
export function notesOn(domain: DomainFrame, arrow = "->"): readonly Note[] {
  const { interrupted, memory, differs, state, reason, defined, user } = domain;
  const those = (kind: DomainFrame["differs"][number]["kind"]): string =>
    differs.flatMap((each) => (each.kind === kind ? [each.resource] : [])).join(", ");
  const [next, drift, moving] = [those("next start"), those("drift"), those("moving")];
  const balloon = memory.target === null ? "" : `balloon ${shortSize(memory.current)}${arrow}${shortSize(memory.target)}`;
  const ways = [balloon, balloon === "" ? moving : ""].filter((each) => each !== "").join(", ");
  const isSilent = reason !== undefined && defined && (state === null || state === "unreachable");
  return [
    ...(interrupted ? [{ mark: "!", words: "a change was interrupted: recover" }] : []),
    ...(next === "" ? [] : [{ mark: "N", words: `next start: ${next}` }]),
    ...(drift === "" ? [] : [{ mark: "D", words: `drift: ${drift}` }]),
    ...(ways === "" ? [] : [{ mark: "M", words: ways }]),
    ...(isSilent ? [{ mark: "x", words: reason }] : []),
    ...(!defined ? [{ mark: "o", words: user === undefined ? "no config here" : `of user ${user}` }] : []),
    ...(reason !== undefined && !isSilent ? [{ mark: "", words: reason }] : []),
  ];
}
