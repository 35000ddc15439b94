import { readScheduling, readThreads } from "../facts/read-threads.ts";
import { ownValue } from "./cpu-list.ts";
import {
  checkIothreadId,
  iothreadIds,
  iothreadIn,
  iothreadOf,
  iothreadReasons,
  textPerIothread,
  withIothread,
  withThreads,
} from "./iothread.ts";
import type { ResourceKind } from "./resource.ts";
import { OTHER, schedKind } from "./sched-kind.ts";
import { ofIothread, schedule } from "./sched-step.ts";

/** The scheduling policy of an iothread: `other`, `batch`, `idle`, `fifo:N` or `rr:N`. `iothread` is its id. */
export interface IothreadSchedChange {
  readonly resource: "iothread-sched";
  readonly iothread: string;
  readonly policy: string;
}

/** `iothreadsched`: the scheduling policy of an iothread. */
export const iothreadSched: ResourceKind<
  IothreadSchedChange,
  { readonly threads: { readonly iothreadsSched: Readonly<Record<string, string | null>> } }
> = schedKind({
  resource: "iothread-sched",
  row: 72,
  members: { iothread: "text", policy: "text" },
  inFile: {
    path: ["threads", "iothreadsSched"],
    shape: '{"ID": POLICY}',
    example: '{"io0": "batch"}',
    changes: (value, place, complain) =>
      textPerIothread(
        value,
        place,
        {
          none: OTHER,
          example: '"batch"',
          make: (iothread, policy): IothreadSchedChange => ({ resource: "iothread-sched", iothread, policy }),
        },
        complain,
      ),
  },
  reads: [readThreads, readScheduling],
  threads: ofIothread,
  target: ({ iothread }) => iothread,
  comesAndGoes: { thread: ({ iothread }) => iothread, target: (thread) => (typeof thread === "string" ? thread : null) },
  make: (iothread, policy) => ({ resource: "iothread-sched", iothread, policy }),
  targets: ({ config, live }) => iothreadIds(config?.threads?.iothreadsSched, live),
  staying: ({ live }) => (live.iothreads ?? []).map(({ id }) => id),
  path: (id) => ["threads", "iothreadsSched", id],
  stored: (id, { threads }) => ownValue(threads?.iothreadsSched, id),
  applied: (id, config, policy) => withThreads(config, { iothreadsSched: withIothread(config.threads?.iothreadsSched, id, policy) }),
  words: (id) => ["iothreadsched", id],
  check: checkIothreadId,
  outOfRange: () => [],
  missing: (id, facts, options) => iothreadReasons(id, "given a policy", facts, options),
  waits: "applied when the iothread is added",

  atStart: async ({ threads }, live, session) => {
    for (const [id, policy] of Object.entries(threads?.iothreadsSched ?? {})) {
      // The policy of one that is not there waits for it.
      if (iothreadIn(live, id) === undefined) continue;
      await schedule(ofIothread.name(id), [await iothreadOf(id, session, live.pid)], () => policy, 5000);
    }
  },
});
