import { HostError } from "../../errors.ts";
import { ownThreadsOf, readScheduling, readThreads } from "../facts/read-threads.ts";
import { withThreads } from "./iothread.ts";
import type { ResourceKind } from "./resource.ts";
import { OTHER, schedKind } from "./sched-kind.ts";
import { ofEmulator, schedule } from "./sched-step.ts";

/**
 * The scheduling policy of QEMU's own threads, its main thread and its workers: `other`, `batch`, `idle`, `fifo:N` or `rr:N`. A worker that
 * starts later inherits it.
 */
export interface EmulatorSchedChange {
  readonly resource: "emulator-sched";
  readonly policy: string;
}

/** `emulatorsched`: the scheduling policy of QEMU's own threads. */
export const emulatorSched: ResourceKind<EmulatorSchedChange, { readonly threads: { readonly emulatorSched: string | null } }> = schedKind({
  resource: "emulator-sched",
  row: 65,
  members: { policy: "text" },
  inFile: {
    path: ["threads", "emulatorSched"],
    shape: "POLICY",
    example: '"batch"',
    changes: (value, place, complain): readonly EmulatorSchedChange[] => {
      if (value === null || typeof value === "string") return [{ resource: "emulator-sched", policy: value ?? OTHER }];
      complain(place, value, 'a text, as "batch", or null');
      return [];
    },
  },
  reads: [readThreads, readScheduling],
  threads: ofEmulator,
  target: () => null,
  make: (_target, policy) => ({ resource: "emulator-sched", policy }),
  targets: () => [null],
  staying: () => [null],
  path: () => ["threads", "emulatorSched"],
  stored: (_target, { threads }) => threads?.emulatorSched,
  applied: (_target, config, policy) => withThreads(config, { emulatorSched: policy }),
  words: () => ["emulatorsched"],
  check: () => undefined,
  outOfRange: () => [],
  missing: (_target, { live }) =>
    live.pid === null
      ? [{ reason: "QEMU's threads are not on this host, so they can't be given a policy", instead: "on the host where its QEMU runs" }]
      : [],
  waits: "QEMU's threads are not on this host",

  atStart: async ({ threads }, { pid }, session) => {
    const policy = threads?.emulatorSched;
    if (policy === undefined) return;
    if (pid === null) throw new HostError("QEMU's threads are not on this host, so they can't be given a policy");
    await schedule(ofEmulator.name(null), await ownThreadsOf(session, pid), () => policy, 5000);
  },
});
