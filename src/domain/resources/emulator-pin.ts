import type { LaunchConfig } from "../../config/launch.ts";
import { HostError } from "../../errors.ts";
import { type CpuSet, formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { onlineCpus, readAffinity } from "../../host/taskset.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { ownThreadsOf, readThreads } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { ALL, canonical, hostReasons, resolveCpuList, shownMask } from "./cpu-list.ts";
import { type BindOptions, bindThread, maskBefore, timeLeft } from "./pinning.ts";
import type { ResourceKind } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/**
 * The CPUs of the host that QEMU's own threads may run on: its main thread and its workers, not its vCPUs, iothreads and vhost threads. A
 * Linux CPU list, or `all`.
 */
export interface EmulatorPinChange {
  readonly resource: "emulator-pin";
  readonly cpus: string;
}

/** Bind QEMU's own threads to CPUs of the host. */
interface EmulatorPinStep extends Step {
  readonly kind: "emulator-pin";
  readonly cpus: string;
  /** The mask of each thread before, by its id, the main thread's first. */
  readonly before: readonly ThreadMask[];
  /** The kernel may give less than was asked for: true where "all CPUs" is meant. */
  readonly allowSubset: boolean;
  /** Each thread gets the mask that it had before, and `cpus` if it is new. */
  readonly isBack?: true;
}

interface ThreadMask {
  readonly tid: number;
  readonly cpus: string;
}

/**
 * Binds the threads by taskset(1): first the main thread, whose mask every worker inherits that it starts from then on (QEMU's
 * util/thread-pool.c), then those that are there. It counts when the kernel's masks, read back, are what was asked for.
 */
const binding: StepKind<EmulatorPinStep> = {
  kind: "emulator-pin",
  rank: 1,
  asksGuest: false,
  what: ({ cpus, isBack }) => `pin QEMU's own threads ${isBack ? "as before" : `to ${cpus === ALL ? "all CPUs" : `CPU ${cpus}`}`}`,
  sends: ({ cpus, before, isBack }, facts) =>
    isBack
      ? eachLine(before)
      : `taskset -pc ${formatCpuList(resolveCpuList(cpus, facts.online))} ${facts.live?.pid ?? "(QEMU)"}, and each worker of it`,
  undoing: ({ before }) => (before.length === 0 ? undefined : eachLine(before)),

  begin: async ({ cpus, before, allowSubset, isBack }, work) => {
    const { monitor, deadline, signal } = work;
    const { pid } = monitor;
    if (pid === null) throw new HostError("QEMU's threads are not on this host");
    const tids = await monitor.ask((session) => ownThreadsOf(session, pid), { by: deadline, signal });
    const wanted = resolveCpuList(cpus, await onlineCpus());
    const old = new Map(isBack ? before.map((each) => [each.tid, parseCpuList(each.cpus)]) : []);
    await bind(tids, (tid) => old.get(tid) ?? wanted, { allowSubset, timeout: timeLeft(work) });
  },

  readBack: async () => ({ outcome: "done" }),
  inverse: (step) => {
    const [main] = step.before;
    return main === undefined ? [] : [{ ...step, cpus: main.cpus, allowSubset: false, isBack: true }];
  },
};

/** `emulatorpin`: the CPUs that QEMU's own threads may run on. */
export const emulatorPin: ResourceKind<EmulatorPinChange, { readonly threads: { readonly emulator: string | null } }> = {
  resource: "emulator-pin",
  row: 60,
  label: () => "emulator-pin",
  unit: "cpus",
  members: { cpus: "text" },
  inFile: {
    path: ["threads", "emulator"],
    shape: "CPULIST",
    example: '"0-3"',
    changes: (value, place, complain) => {
      if (value === null || typeof value === "string") return [{ resource: "emulator-pin", cpus: value ?? ALL }];
      complain(place, value, 'a text, as "0-3", or null');
      return [];
    },
  },
  needsGuest: false,
  stepKinds: [binding],
  reads: [readThreads],

  check: ({ cpus }) => void canonical(cpus),
  withValue: (change, value) => ({ ...change, cpus: String(value) }),
  wanted: ({ cpus }) => canonical(cpus),
  command: ({ cpus }, name) => `emulatorpin ${shellWord(name)} ${shellWord(cpus)}`,

  inConfig: (_change, config) => pinOf(config),
  edits: ({ cpus }) => [{ path: ["threads", "emulator"], value: cpus === ALL ? undefined : canonical(cpus) }],
  applied: ({ cpus }, config) => {
    const { emulator: _, ...others } = config.threads ?? {};
    return { ...config, threads: cpus === ALL ? others : { ...others, emulator: canonical(cpus) } };
  },
  staticReasons: ({ cpus }, facts) => hostReasons(cpus, facts),

  inLive: (_change, live) => maskOf(live),
  isMixed: ({ ownThreads = [] }) => new Set(ownThreads.flatMap(({ affinity }) => affinity ?? [])).size > 1,
  needed: ({ cpus }, { live, online, threadsBefore }) =>
    maskOf(live) !== formatCpuList(resolveCpuList(cpus, online)) ||
    (live.ownThreads ?? []).some((thread) => (maskBefore(thread, threadsBefore) ?? thread.affinity) !== thread.affinity),
  liveReasons: ({ cpus }, facts) =>
    facts.live.pid === null
      ? [{ reason: "QEMU's threads are not on this host, so they can't be pinned", instead: "on the host where its QEMU runs" }]
      : hostReasons(cpus, facts),
  steps: ({ cpus }, { live: { ownThreads = [] }, threadsBefore }): readonly EmulatorPinStep[] => {
    const back = ownThreads.flatMap((thread) => {
      const mask = maskBefore(thread, threadsBefore);
      return mask === null ? [] : [{ tid: thread.tid, cpus: mask }];
    });
    if (back.length > 0) return [{ kind: "emulator-pin", cpus: canonical(cpus), before: back, allowSubset: false, isBack: true }];
    const before = ownThreads.flatMap(({ tid, affinity }) => (affinity === null ? [] : [{ tid, cpus: affinity }]));
    return [{ kind: "emulator-pin", cpus: canonical(cpus), before, allowSubset: cpus === ALL }];
  },

  rows: (facts) => {
    const pin = facts.config === null ? null : pinOf(facts.config);
    const mask = facts.live === null ? null : shownPin({ ...facts, live: facts.live });
    const isPinned = [pin, mask].some((each) => each !== null && each !== ALL);
    const why = pin === null || mask === null || pin === mask ? null : CHANGED;
    return isPinned ? [{ resource: "emulator-pin", config: pin, live: mask, guest: null, why }] : [];
  },
  revert: (facts) => {
    const [pin, mask] = [pinOf(facts.config), shownPin(facts)];
    return mask === null || pin === mask ? [] : [{ resource: "emulator-pin", cpus: pin }];
  },
  persist: (facts) => {
    const mask = shownPin(facts);
    return mask === null || pinOf(facts.config) === mask ? [] : [{ resource: "emulator-pin", cpus: mask }];
  },

  atStart: async ({ threads }, { pid }, session) => {
    if (threads?.emulator === undefined) return;
    if (pid === null) throw new HostError("QEMU's threads are not on this host, so they can't be pinned");
    const wanted = resolveCpuList(canonical(threads.emulator), new Set());
    await bind(await ownThreadsOf(session, pid), () => wanted, { allowSubset: false, timeout: 5000 });
  },
};

/** The config's pin, in its shortest form; `all` where there is none. */
function pinOf({ threads }: LaunchConfig): string {
  return threads?.emulator === undefined ? ALL : canonical(threads.emulator);
}

function maskOf({ mainAffinity }: Live): string | null {
  return mainAffinity === null ? null : formatCpuList(mainAffinity);
}

function shownPin(facts: LiveFacts): string | null {
  return shownMask(maskOf(facts.live), facts.config === null ? null : pinOf(facts.config), facts);
}

function eachLine(masks: readonly ThreadMask[]): string {
  return masks.map(({ tid, cpus }) => `taskset -pc ${cpus} ${tid}`).join("; ");
}

/** Binds the main thread, which comes first, then its workers. A worker that ends meanwhile needs no mask. @throws as `bindThread` does */
async function bind(tids: readonly number[], wanted: (tid: number) => CpuSet, options: BindOptions): Promise<void> {
  for (const [position, tid] of tids.entries()) {
    await bindThread("QEMU's own threads", tid, wanted(tid), options).catch(async (error: unknown) => {
      if (position === 0 || (await readAffinity(tid).catch(() => null)) !== null) throw error;
    });
  }
}
