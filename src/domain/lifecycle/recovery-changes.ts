import type { WorkedOut } from "../change/plan-asking.ts";
import { threadsToCome } from "../change/plan.ts";
import type { Journal } from "../change/record.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Value } from "../model/change.ts";
import { type Change, kindOf, nameOf, threadKinds, withValue } from "../resources/registry.ts";
import type { ThreadName } from "../resources/resource.ts";

/** The changes of a journal with the values of one half before; none for a value that is not known. */
export function valuesBefore({ changes }: Journal, pick: (change: Journal["changes"][number]) => Value): readonly Change[] {
  return changes.flatMap((each) => {
    const value = pick(each);
    return value === null ? [] : [withValue(each.change, value)];
  });
}

/**
 * What finishes an interrupted change: its changes again, and for each thread that it had brought to life by then what the config has for
 * it. Such a thread would have got that right after it came.
 */
export function changesToFinish({ changes, brings }: Journal): WorkedOut {
  const wanted = changes.map(({ change }) => change);
  if (brings.length === 0) return among(wanted);
  return among(wanted, ({ config, live, ...facts }) => {
    const due =
      live === null ? [] : threadKinds(wanted).flatMap(({ ofThreads }) => brings.flatMap((thread) => ofThreads?.due(thread, config) ?? []));
    return live === null ? [] : needed(without(due, wanted), { config, live, ...facts });
  });
}

/**
 * What takes the live half back: the values before, and for each vCPU and iothread that comes back with them, or has come back, what its
 * thread had. Null if there is nothing to take back.
 */
export function changesToUndo(journal: Journal): WorkedOut | null {
  const values = valuesBefore(journal, ({ back }) => back);
  if (values.length === 0) return null;
  if (threadKinds(values).length === 0) return among(values);
  return among(values, ({ live, ...facts }) => {
    if (live === null) return [];
    const coming = threadsToCome(values, { live, ...facts });
    const had = without(journal.threads, values);
    return [...needed(had, { live, ...facts }), ...had.filter((change) => coming.has(threadOf(change) ?? ""))];
  });
}

/** Changes, and others of threads that are worked out from the facts. No more is read of the machine than all of them need. */
function among(changes: readonly Change[], others?: (facts: Facts) => readonly Change[]): WorkedOut {
  const more = others === undefined ? [] : threadKinds(changes).map(({ resource }) => resource);
  return Object.assign((facts: Facts): readonly Change[] => [...changes, ...(others?.(facts) ?? [])], {
    oneHalf: true,
    among: [...new Set([...changes.map(({ resource }) => resource), ...more])],
  });
}

/** Those that are about nothing that the others are about. */
function without(changes: readonly Change[], others: readonly Change[]): readonly Change[] {
  const listed = new Set(others.map(nameOf));
  return changes.filter((change) => !listed.has(nameOf(change)));
}

/** Those about threads that are there and have something else. */
function needed(changes: readonly Change[], facts: LiveFacts): readonly Change[] {
  const there = new Set(changes.flatMap((change) => kindOf(change).ofThreads?.had(facts.live) ?? []).map(nameOf));
  return changes.filter((change) => there.has(nameOf(change)) && kindOf(change).needed(change, facts));
}

function threadOf(change: Change): ThreadName | undefined {
  return kindOf(change).ofThreads?.thread(change);
}
