import type { Change } from "../../src/domain/resources/registry.ts";

/**
 * What threads have in the model, by the labels of diff, as `iothread-pin io0`: in the config what is not as by default, on a running
 * machine what is there.
 */
export type Threads = Readonly<Record<string, string>>;

/** The label of a change of these, and what it wants; null if it is another's. */
export function threadPart(change: Change): { readonly label: string; readonly value: string; readonly none: string } | null {
  switch (change.resource) {
    case "iothread-pin":
      return { label: `iothread-pin ${change.iothread}`, value: change.cpus, none: "all" };
    case "vhost-pin":
      return { label: "vhost-pin", value: change.cpus, none: "all" };
    default:
      return null;
  }
}

/** The threads of the config after a change. */
export function fixedThreads(before: Threads, change: Change): Threads {
  const part = threadPart(change);
  if (part === null) return before;
  const { [part.label]: _, ...others } = before;
  return sorted(part.value === part.none ? others : { ...others, [part.label]: part.value });
}

/** The threads of a running machine after a change; null if it has to be refused. `all`: the mask of a thread that is not pinned. */
export function liveThreads(before: Threads, change: Change, all: string): Threads | null {
  const part = threadPart(change);
  if (part === null) return before;
  if (before[part.label] === undefined) return null;
  return { ...before, [part.label]: part.value === "all" ? all : part.value };
}

/** The keys of a config that threads have. */
export interface ThreadKeys {
  readonly iothreads?: Threads;
  readonly vhost?: string;
}

/** The threads of a config, as they stand in its file. */
export function threadsInFile({ iothreads = {}, vhost }: ThreadKeys = {}): Threads {
  return sorted({
    ...Object.fromEntries(Object.entries(iothreads).map(([id, cpus]) => [`iothread-pin ${id}`, cpus])),
    ...(vhost === undefined ? {} : { "vhost-pin": vhost }),
  });
}

function sorted(values: Threads): Threads {
  return Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
}
