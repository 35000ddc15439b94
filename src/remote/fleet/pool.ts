import { UsageError } from "../../errors.ts";
import { MOST_BEHIND_ONE } from "./jumps.ts";
import type { Member } from "./member.ts";

/** How many hosts are worked with at once, unless told. */
export const AT_ONCE: number = 10;

/**
 * Works with each host, at most `atOnce` of them at a time, in their order: who waits longest is next. A host whose jump host has enough
 * to do lets others go first. Resolves when all are done; once `isOver` says so, no more are begun.
 *
 * @throws UsageError if `atOnce` is no such number; else nothing: `work` has to take care of its own errors
 */
export async function eachMember(
  members: readonly Member[],
  { atOnce, isOver }: { readonly atOnce: number; readonly isOver: () => boolean },
  work: (member: Member) => Promise<void>,
): Promise<void> {
  checkCount("atOnce", atOnce);
  const waiting = [...members];
  const through = new Map<string, number>();
  const count = (jump: string | undefined, by: number): void => {
    if (jump !== undefined) through.set(jump, (through.get(jump) ?? 0) + by);
  };
  const next = (): Member | undefined => {
    if (isOver()) return undefined;
    const at = waiting.findIndex(({ jump }) => jump === undefined || (through.get(jump) ?? 0) < MOST_BEHIND_ONE);
    return at < 0 ? undefined : waiting.splice(at, 1)[0];
  };
  await new Promise<void>((resolve, reject) => {
    let busy = 0;
    const go = (): void => {
      for (let member = busy < atOnce ? next() : undefined; member !== undefined; member = busy < atOnce ? next() : undefined) {
        const { jump } = member;
        busy++;
        count(jump, 1);
        work(member).then(() => {
          busy--;
          count(jump, -1);
          go();
        }, reject);
      }
      if (busy === 0) resolve();
    };
    go();
  });
}

/** @throws UsageError for what is no whole number of 1 or more */
export function checkCount(name: string, count: number): void {
  if (count === Infinity || (Number.isInteger(count) && count >= 1)) return;
  throw new UsageError(`${name} ${count}: not a number of 1 or more`, { value: count, expected: "a whole number, 1 or more" });
}
