import type { LaunchConfig } from "../../config/launch.ts";
import { formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { onlineCpus } from "../../host/taskset.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { readThreads } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { ALL, canonical, hostReasons, ownValue, resolveCpuList, shownMask } from "./cpu-list.ts";
import {
  checkIothreadId,
  iothreadIds,
  iothreadIn,
  iothreadNow,
  iothreadOf,
  iothreadReasons,
  textPerIothread,
  withIothread,
  withThreads,
} from "./iothread.ts";
import { bindThread, timeLeft } from "./pinning.ts";
import type { ResourceKind } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** The CPUs of the host that an iothread may run on: a Linux CPU list, or `all`. `iothread` is its id. */
export interface IothreadPinChange {
  readonly resource: "iothread-pin";
  readonly iothread: string;
  readonly cpus: string;
}

/** Bind an iothread to CPUs of the host. */
export interface IothreadPinStep extends Step {
  readonly kind: "iothread-pin";
  readonly iothread: string;
  readonly cpus: string;
  /** The mask before; null for a thread that the same plan brings to life. */
  readonly before: string | null;
  /** The kernel may give less than was asked for: true where "all CPUs" is meant. */
  readonly allowSubset: boolean;
}

/** Binding an iothread by taskset(1). It counts when the kernel's mask, read back, is the one that was asked for. */
const binding: StepKind<IothreadPinStep> = {
  kind: "iothread-pin",
  rank: 1,
  asksGuest: false,
  what: ({ iothread, cpus }) => `pin iothread ${iothread} to ${cpus === ALL ? "all CPUs" : `CPU ${cpus}`}`,
  sends: ({ iothread, cpus }, facts) => tasksetLine(iothread, formatCpuList(resolveCpuList(cpus, facts.online)), facts),
  undoing: ({ iothread, before }, facts) =>
    before === null ? "the thread is new, and goes with its iothread" : tasksetLine(iothread, before, facts),

  begin: async ({ iothread, cpus, allowSubset }, work) => {
    const tid = await iothreadNow(iothread, work);
    await bindThread(`iothread ${iothread}`, tid, resolveCpuList(cpus, await onlineCpus()), { allowSubset, timeout: timeLeft(work) });
  },

  readBack: async () => ({ outcome: "done" }),
  inverse: ({ iothread, before }, now) =>
    before === null || iothreadIn(now, iothread) === undefined ? [] : [iothreadPinStep(iothread, before, null)],
};

/** `iothreadpin`: the CPUs that an iothread may run on. */
export const iothreadPin: ResourceKind<
  IothreadPinChange,
  { readonly threads: { readonly iothreads: Readonly<Record<string, string | null>> } }
> = {
  resource: "iothread-pin",
  row: 70,
  label: ({ iothread }) => `iothread-pin ${iothread}`,
  unit: "cpus",
  members: { iothread: "text", cpus: "text" },
  inFile: {
    path: ["threads", "iothreads"],
    shape: '{"ID": CPULIST}',
    example: '{"io0": "0-3"}',
    changes: (value, place, complain) =>
      textPerIothread(
        value,
        place,
        { none: ALL, example: '"0-3"', make: (iothread, cpus): IothreadPinChange => ({ resource: "iothread-pin", iothread, cpus }) },
        complain,
      ),
  },
  needsGuest: false,
  stepKinds: [binding],
  reads: [readThreads],

  check: ({ iothread, cpus }) => {
    checkIothreadId(iothread);
    canonical(cpus);
  },
  withValue: (change, value) => ({ ...change, cpus: String(value) }),
  wanted: ({ cpus }) => canonical(cpus),
  ofThreads: {
    thread: ({ iothread }) => iothread,
    had: ({ iothreads = [] }) =>
      iothreads.flatMap(({ id, affinity }): readonly IothreadPinChange[] =>
        affinity === null ? [] : [{ resource: "iothread-pin", iothread: id, cpus: affinity }],
      ),
    due: (iothread, config) =>
      typeof iothread === "string"
        ? { resource: "iothread-pin", iothread, cpus: ownValue(config?.threads?.iothreads, iothread) ?? ALL }
        : null,
  },
  command: ({ iothread, cpus }, name) => `iothreadpin ${shellWord(name)} ${shellWord(iothread)} ${shellWord(cpus)}`,

  inConfig: ({ iothread }, config) => pinOf(iothread, config),
  edits: ({ iothread, cpus }) => [{ path: ["threads", "iothreads", iothread], value: cpus === ALL ? undefined : canonical(cpus) }],
  applied: ({ iothread, cpus }, config) =>
    withThreads(config, { iothreads: withIothread(config.threads?.iothreads, iothread, cpus === ALL ? undefined : canonical(cpus)) }),
  staticReasons: ({ cpus }, facts) => hostReasons(cpus, facts),

  inLive: ({ iothread }, live) => maskOf(iothread, live),
  needed: ({ iothread, cpus }, { live, online }) => maskOf(iothread, live) !== formatCpuList(resolveCpuList(cpus, online)),
  liveReasons: ({ iothread, cpus }, facts, options) => {
    const place = iothreadReasons(iothread, "pinned", facts, options);
    return place.length > 0 ? place : hostReasons(cpus, facts);
  },
  steps: ({ iothread, cpus }, { live }) => [iothreadPinStep(iothread, canonical(cpus), maskOf(iothread, live))],

  rows: (facts) => {
    const { config, live } = facts;
    return iothreadIds(config?.threads?.iothreads, live).flatMap((id) => {
      const pin = config === null ? null : pinOf(id, config);
      const mask = live === null ? null : shownPin(id, { ...facts, live });
      const isPinned = [pin, mask].some((each) => each !== null && each !== ALL);
      return isPinned ? [{ resource: `iothread-pin ${id}`, config: pin, live: mask, guest: null, why: whyPin(id, pin, mask, facts) }] : [];
    });
  },
  revert: (facts) =>
    (facts.live.iothreads ?? []).flatMap(({ id }): readonly IothreadPinChange[] => {
      const [pin, mask] = [pinOf(id, facts.config), shownPin(id, facts)];
      return mask === null || pin === mask ? [] : [{ resource: "iothread-pin", iothread: id, cpus: pin }];
    }),
  persist: (facts) =>
    (facts.live.iothreads ?? []).flatMap(({ id }): readonly IothreadPinChange[] => {
      const mask = shownPin(id, facts);
      return mask === null || pinOf(id, facts.config) === mask ? [] : [{ resource: "iothread-pin", iothread: id, cpus: mask }];
    }),

  atStart: async ({ threads }, live, session) => {
    for (const [id, list] of Object.entries(threads?.iothreads ?? {})) {
      // A pin of one that is not there waits for it.
      if (iothreadIn(live, id) === undefined) continue;
      const tid = await iothreadOf(id, session, live.pid);
      await bindThread(`iothread ${id}`, tid, parseCpuList(list), { allowSubset: false, timeout: 5000 });
    }
  },
};

/** The step that gives an iothread these CPUs. `before` is null for one that is new. */
export function iothreadPinStep(iothread: string, cpus: string, before: string | null): IothreadPinStep {
  return { kind: "iothread-pin", iothread, cpus, before, allowSubset: cpus === ALL };
}

/** The config's pin of an iothread, in its shortest form; `all` where there is none. */
function pinOf(id: string, { threads }: LaunchConfig): string {
  return canonical(ownValue(threads?.iothreads, id) ?? ALL);
}

function maskOf(id: string, live: Live): string | null {
  return iothreadIn(live, id)?.affinity ?? null;
}

function shownPin(id: string, facts: LiveFacts): string | null {
  return shownMask(maskOf(id, facts.live), facts.config === null ? null : pinOf(id, facts.config), facts);
}

function whyPin(id: string, pin: string | null, mask: string | null, { live }: Facts): string | null {
  if (live === null || pin === null || pin === mask) return null;
  if (iothreadIn(live, id) === undefined) return "applied when the iothread is added";
  const inherited = pin === ALL && live.mainAffinity !== null && formatCpuList(live.mainAffinity) === mask;
  return inherited ? `inherited from QEMU's main thread: \`revert\` gives it all, \`persist\` pins it there` : CHANGED;
}

/** A thread that the plan itself brings to life has no number yet. */
function tasksetLine(id: string, list: string, { live }: Facts): string {
  return `taskset -pc ${list} ${(live === null ? undefined : iothreadIn(live, id)?.tid) ?? `(thread of iothread ${id})`}`;
}
