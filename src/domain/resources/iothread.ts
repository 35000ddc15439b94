import { IOTHREAD_RULE, isIothreadId } from "../../config/iothread-id.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { HostError, UsageError } from "../../errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { LiveIothread } from "../facts/live-thread.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { ownThread } from "./pinning.ts";
import type { CheckOptions, Complain, Reason } from "./resource.ts";
import type { Work } from "./step.ts";

/** @throws UsageError for an id that no iothread can have */
export function checkIothreadId(id: string): void {
  if (!isIothreadId(id))
    throw new UsageError(`iothread ${JSON.stringify(id.slice(0, 60))}: ${IOTHREAD_RULE}`, { value: id, expected: "an id, as io0" });
}

/** The iothread of a running machine with this id. */
export function iothreadIn({ iothreads }: Live, id: string): LiveIothread | undefined {
  return iothreads?.find((each) => each.id === id);
}

/** The iothread's thread as it is now. @throws HostError when it is gone, or not QEMU's */
export async function iothreadNow(id: string, { monitor, deadline, signal }: Work): Promise<number> {
  return await monitor.ask((session) => iothreadOf(id, session, monitor.pid), { by: deadline, signal });
}

/** The same, asked on a session. */
export async function iothreadOf(id: string, session: Session, pid: number | null): Promise<number> {
  const iothreads = await session.execute("query-iothreads");
  const tid = iothreads.find((each) => each.id === id)?.["thread-id"];
  if (tid === undefined) throw new HostError(`iothread ${id}: there is none any more`);
  return ownThread(`iothread ${id}`, Number(tid), pid);
}

/** Why nothing can be done to an iothread's thread; none where it can. `done` is what is to be done, as `pinned`. */
export function iothreadReasons(id: string, done: string, { live, beingPlugged }: LiveFacts, { name }: CheckOptions): readonly Reason[] {
  if (live.pid === null)
    return [
      { reason: `iothread ${id} can't be ${done}: the machine's threads are not on this host`, instead: "on the host where its QEMU runs" },
    ];
  const found = iothreadIn(live, id);
  if (found !== undefined && found.affinity === null)
    return [
      {
        reason: `iothread ${id} can't be ${done}: thread ${found.tid} is not one of QEMU's on this host`,
        instead: "on the host where its QEMU runs",
      },
    ];
  if (found !== undefined || beingPlugged?.has(id) === true) return [];
  const others = (live.iothreads ?? []).map((each) => each.id).join(", ");
  return [
    {
      reason: `the running machine has no iothread ${id}${others === "" ? "" : `, only ${others}`}`,
      instead: `--static: the config keeps it for an iothread that comes later; qmpctl iothreadadd ${shellWord(name)} ${shellWord(id)} adds one`,
    },
  ];
}

/**
 * The ids of the iothreads that either half knows of by name: those of a key of the config, and those that run. In the order of the ids.
 */
export function iothreadIds(values: Readonly<Record<string, unknown>> | undefined, live: Live | null): readonly string[] {
  return [...new Set([...Object.keys(values ?? {}), ...(live?.iothreads ?? []).map(({ id }) => id)])].sort();
}

/** Of a config: a copy of one of its records of iothreads with one value changed; undefined takes it out. */
export function withIothread<T>(
  values: Readonly<Record<string, T>> | undefined,
  id: string,
  value: T | undefined,
): Readonly<Record<string, T>> {
  const others = Object.entries(values ?? {}).filter(([key]) => key !== id);
  return Object.fromEntries(value === undefined ? others : [...others, [id, value]]);
}

/** A config with other keys for its threads. */
export function withThreads(config: LaunchConfig, threads: NonNullable<LaunchConfig["threads"]>): LaunchConfig {
  return { ...config, threads: { ...config.threads, ...threads } };
}

/** The changes of an allocation file that has one value for each iothread. `of` makes one, or says what the value should be. */
export function perIothread<C>(
  value: unknown,
  place: string,
  of: (id: string, value: unknown) => C | string,
  complain: Complain,
): readonly C[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"io0": …}');
    return [];
  }
  return Object.entries(value).flatMap(([id, each]: readonly [string, unknown]): readonly C[] => {
    const made = of(id, each);
    if (typeof made !== "string") return [made];
    complain(`${place}.${id}`, each, made);
    return [];
  });
}

/** The same, where each value is a text; null stands for `none`, what an iothread has without a value. `example` shows one, in JSON. */
export function textPerIothread<C>(
  value: unknown,
  place: string,
  { none, example, make }: { readonly none: string; readonly example: string; readonly make: (id: string, text: string) => C },
  complain: Complain,
): readonly C[] {
  const of = (id: string, each: unknown): C | string =>
    each === null || typeof each === "string" ? make(id, each ?? none) : `a text, as ${example}, or null`;
  return perIothread(value, place, of, complain);
}
