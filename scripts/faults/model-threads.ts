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
    case "iothread":
      return { label: `iothread ${change.iothread}`, value: change.state, none: "absent" };
    case "iothread-set":
      return { label: `iothread-set ${change.iothread}`, value: change.settings, none: "poll-max-ns=default" };
    case "vcpu-sched":
      return { label: `vcpu-sched ${change.vcpu}`, value: change.policy, none: "other" };
    case "emulator-sched":
      return { label: "emulator-sched", value: change.policy, none: "other" };
    case "iothread-sched":
      return { label: `iothread-sched ${change.iothread}`, value: change.policy, none: "other" };
    default:
      return null;
  }
}

/** Iothreads come before what is about them; on a running machine those that go away come last. */
export function iothreadsFirst(changes: readonly Change[], runs: boolean): readonly Change[] {
  const rank = (change: Change): number => (change.resource !== "iothread" ? 1 : change.state === "present" || !runs ? 0 : 2);
  return changes.toSorted((one, other) => rank(one) - rank(other));
}

/** The threads of the config after a change; null if it has to be refused. */
export function fixedThreads(before: Threads, change: Change): Threads | null {
  const part = threadPart(change);
  if (part === null) return before;
  if (change.resource === "iothread-set" && before[`iothread ${change.iothread}`] === undefined) return null;
  const { [part.label]: _, ...others } = before;
  if (change.resource === "iothread" && change.state === "absent") {
    const { [`iothread-set ${change.iothread}`]: _set, ...left } = others;
    return change.iothread === "io0" ? null : left;
  }
  return sorted(part.value === part.none ? others : { ...others, [part.label]: part.value });
}

/** The threads of a running machine after a change; null if it has to be refused. `all`: the mask of a thread that is not pinned. */
export function liveThreads(before: Threads, change: Change, all: string, config: Threads): Threads | null {
  const part = threadPart(change);
  if (part === null) return before;
  if (change.resource === "iothread") return withIothread(before, change.iothread, change.state === "present", all, config);
  if (before[part.label] === undefined) return null;
  return { ...before, [part.label]: part.value === "all" ? all : part.value };
}

/** With an iothread more, which gets what the config has for it, or with one less. The first one is in use. */
function withIothread(before: Threads, id: string, isThere: boolean, all: string, config: Threads): Threads | null {
  if ((before[`iothread ${id}`] !== undefined) === isThere) return before;
  if (!isThere)
    return id === "io0" ? null : sorted(Object.fromEntries(Object.entries(before).filter(([label]) => !label.endsWith(` ${id}`))));
  const own = (label: string, none: string): Threads => ({ [`${label} ${id}`]: config[`${label} ${id}`] ?? none });
  return sorted({
    ...before,
    [`iothread ${id}`]: "present",
    ...own("iothread-pin", all),
    ...own("iothread-sched", "other"),
    ...own("iothread-set", "poll-max-ns=32768"),
  });
}

/** The threads of a running machine after it has come to have these vCPUs: a new one has the policy that the config has for it. */
export function vcpuThreads(before: Threads, vcpus: readonly number[], config: Threads): Threads {
  const others = Object.entries(before).filter(([label]) => !label.startsWith("vcpu-sched "));
  const labels = vcpus.map((vcpu) => `vcpu-sched ${vcpu}`);
  return sorted({
    ...Object.fromEntries(others),
    ...Object.fromEntries(labels.map((label) => [label, before[label] ?? config[label] ?? "other"])),
  });
}

/** The keys of a config that threads have. */
export interface ThreadKeys {
  readonly iothreads?: Threads;
  readonly vhost?: string;
  readonly emulatorSched?: string;
  readonly iothreadsSched?: Threads;
}

/** The threads of a config, as they stand in its file; `sched` is the key of its vCPUs. */
export function threadsInFile(
  args: readonly string[],
  { iothreads, vhost, emulatorSched, iothreadsSched }: ThreadKeys = {},
  sched?: Threads,
): Threads {
  const each = (label: string, values: Threads = {}): Threads =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`${label} ${key}`, value]));
  const words = args.flatMap((word) => {
    const [, id, set] = /^iothread,id=(\w+)(?:,(poll-max-ns=\d+))?$/.exec(word) ?? [];
    return id === undefined ? [] : [[id, set] as const];
  });
  return sorted({
    ...Object.fromEntries(words.map(([id]) => [`iothread ${id}`, "present"])),
    ...Object.fromEntries(words.flatMap(([id, set]) => (set === undefined ? [] : [[`iothread-set ${id}`, set]]))),
    ...each("iothread-pin", iothreads),
    ...each("iothread-sched", iothreadsSched),
    ...each("vcpu-sched", sched),
    ...(vhost === undefined ? {} : { "vhost-pin": vhost }),
    ...(emulatorSched === undefined ? {} : { "emulator-sched": emulatorSched }),
  });
}

function sorted(values: Threads): Threads {
  return Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)));
}
