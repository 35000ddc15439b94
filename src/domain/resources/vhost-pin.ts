import type { LaunchConfig } from "../../config/launch.ts";
import { HostError } from "../../errors.ts";
import { type CpuSet, formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { onlineCpus, readAffinity } from "../../host/taskset.ts";
import { vhostThreadsOf } from "../../host/vhost-threads.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { LiveThread } from "../facts/live-thread.ts";
import type { Live } from "../facts/live.ts";
import { readVhost } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { ALL, canonical, hostReasons, resolveCpuList, shownMask } from "./cpu-list.ts";
import { withThreads } from "./iothread.ts";
import { bindThread, maskBefore, timeLeft } from "./pinning.ts";
import type { Reason, ResourceKind } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** The CPUs of the host that the threads of its vhost devices may run on: a Linux CPU list, or `all`. */
export interface VhostPinChange {
  readonly resource: "vhost-pin";
  readonly cpus: string;
}

/** Bind the threads of vhost devices to CPUs of the host. */
interface VhostPinStep extends Step {
  readonly kind: "vhost-pin";
  readonly cpus: string;
  /** Each thread's mask before; of undo, the masks to go back to. */
  readonly before: Readonly<Record<string, string>>;
  /** The kernel may give less than was asked for: true where "all CPUs" is meant. */
  readonly allowSubset: boolean;
  /** Each thread gets the mask that it had before, and not `cpus`. */
  readonly isBack?: true;
}

/** Binding them by taskset(1). It counts when the kernel's masks, read back, are what was asked for. */
const binding: StepKind<VhostPinStep> = {
  kind: "vhost-pin",
  rank: 1,
  asksGuest: false,
  what: ({ cpus, isBack }) => `pin the vhost threads ${isBack ? "as before" : `to ${cpus === ALL ? "all CPUs" : `CPU ${cpus}`}`}`,
  sends: ({ cpus, before, isBack }, { online }) =>
    isBack
      ? eachLine(before)
      : eachLine(Object.fromEntries(Object.keys(before).map((tid) => [tid, formatCpuList(resolveCpuList(cpus, online))]))),
  undoing: ({ before }) => eachLine(before),

  begin: async ({ cpus, before, allowSubset, isBack }, work) => {
    const { pid } = work.monitor;
    if (pid === null) throw new HostError("QEMU's threads are not on this host");
    const wanted = resolveCpuList(cpus, await onlineCpus());
    const maskOf = (tid: number): CpuSet | null => (isBack ? (before[tid] === undefined ? null : parseCpuList(before[tid])) : wanted);
    await bindVhost(pid, maskOf, { allowSubset, timeout: timeLeft(work) });
  },

  readBack: async () => ({ outcome: "done" }),
  inverse: (step) => [{ ...step, allowSubset: false, isBack: true }],
};

/** `vhostpin`: the CPUs that the threads of vhost devices may run on. */
export const vhostPin: ResourceKind<VhostPinChange, { readonly threads: { readonly vhost: string | null } }> = {
  resource: "vhost-pin",
  row: 75,
  label: () => "vhost-pin",
  unit: "cpus",
  members: { cpus: "text" },
  inFile: {
    path: ["threads", "vhost"],
    shape: "CPULIST",
    example: '"0-3"',
    changes: (value, place, complain) => {
      if (value === null || typeof value === "string") return [{ resource: "vhost-pin", cpus: value ?? ALL }];
      complain(place, value, 'a text, as "0-3", or null');
      return [];
    },
  },
  needsGuest: false,
  stepKinds: [binding],
  reads: [readVhost],

  check: ({ cpus }) => void canonical(cpus),
  withValue: (change, value) => ({ ...change, cpus: String(value) }),
  wanted: ({ cpus }) => canonical(cpus),
  command: ({ cpus }, name) => `vhostpin ${shellWord(name)} ${shellWord(cpus)}`,

  inConfig: (_change, config) => pinOf(config),
  edits: ({ cpus }) => [{ path: ["threads", "vhost"], value: cpus === ALL ? undefined : canonical(cpus) }],
  applied: ({ cpus }, config) => withThreads(config, { vhost: cpus === ALL ? undefined : canonical(cpus) }),
  staticReasons: ({ cpus }, facts) => hostReasons(cpus, facts),

  // Masks that differ are no value that could be asked for again.
  inLive: (_change, live) => {
    const mask = maskOf(live);
    return mask?.includes(" ") ? null : mask;
  },
  // One of them stands for all, and each thread gets its own.
  back: (_change, { live }) => live.vhost?.find(({ affinity }) => affinity !== null)?.affinity ?? null,
  isMixed: (live) => maskOf(live)?.includes(" ") === true,
  needed: ({ cpus }, { live, online, threadsBefore }) => {
    const wanted = formatCpuList(resolveCpuList(cpus, online));
    const threads = live.vhost ?? [];
    return threads.length === 0 || threads.some((thread) => thread.affinity !== (maskBefore(thread, threadsBefore) ?? wanted));
  },
  liveReasons: ({ cpus }, facts) => {
    const place = placeReasons(facts);
    return place.length > 0 ? place : hostReasons(cpus, facts);
  },
  steps: ({ cpus }, { live: { vhost }, threadsBefore }): readonly VhostPinStep[] => {
    const threads = vhost ?? [];
    const back = threads.map((thread) => ({ tid: thread.tid, affinity: maskBefore(thread, threadsBefore) }));
    const isBack = back.some(({ affinity }) => affinity !== null);
    const step = { kind: "vhost-pin", cpus: canonical(cpus), before: masksOf(isBack ? back : threads) } as const;
    return [isBack ? { ...step, allowSubset: false, isBack } : { ...step, allowSubset: cpus === ALL }];
  },

  rows: (facts) => {
    const pin = facts.config === null ? null : pinOf(facts.config);
    const mask = facts.live === null ? null : shownPin({ ...facts, live: facts.live });
    const isPinned = [pin, mask].some((each) => each !== null && each !== ALL);
    return isPinned ? [{ resource: "vhost-pin", config: pin, live: mask, guest: null, why: whyPin(pin, mask, facts) }] : [];
  },
  revert: (facts) => {
    const [pin, mask] = [pinOf(facts.config), shownPin(facts)];
    return mask === null || pin === mask ? [] : [{ resource: "vhost-pin", cpus: pin }];
  },
  // Masks that differ are no list, so the config can't say them.
  persist: (facts) => {
    const mask = shownPin(facts);
    return mask === null || mask === pinOf(facts.config) || mask.includes(" ") ? [] : [{ resource: "vhost-pin", cpus: mask }];
  },

  atStart: async ({ threads }, { pid }) => {
    if (threads?.vhost === undefined || pid === null) return;
    const wanted = parseCpuList(threads.vhost);
    await bindVhost(pid, () => wanted, { allowSubset: false, timeout: 5000 });
  },
};

/** The config's pin, in its shortest form; `all` where there is none. */
function pinOf({ threads }: LaunchConfig): string {
  return canonical(threads?.vhost ?? ALL);
}

/** The mask of all vhost threads. Where they differ, each of their masks, as `0 + 1-3`; null where there are no such threads. */
function maskOf({ vhost }: Live): string | null {
  const masks = [...new Set((vhost ?? []).flatMap(({ affinity }) => (affinity === null ? [] : [affinity])))];
  return masks.length === 0 ? null : masks.sort().join(" + ");
}

function masksOf(threads: readonly LiveThread[]): Readonly<Record<string, string>> {
  return Object.fromEntries(threads.flatMap(({ tid, affinity }) => (affinity === null ? [] : [[String(tid), affinity]])));
}

function shownPin(facts: LiveFacts): string | null {
  return shownMask(maskOf(facts.live), facts.config === null ? null : pinOf(facts.config), facts);
}

function placeReasons({ live: { pid, vhost } }: LiveFacts): readonly Reason[] {
  if (pid === null)
    return [
      {
        reason: "the vhost threads can't be pinned: the machine's threads are not on this host",
        instead: "on the host where its QEMU runs",
      },
    ];
  if (vhost !== null && vhost !== undefined && vhost.length > 0) return [];
  return [
    {
      reason: "the running machine has no vhost threads",
      instead:
        "--static: the config keeps it for the next start; a NIC with vhost=on (-netdev tap,…,vhost=on) or a vhost-scsi or vhost-vsock device has such threads",
    },
  ];
}

function whyPin(pin: string | null, mask: string | null, { live }: Facts): string | null {
  if (live === null || pin === null || pin === mask) return null;
  return mask === null ? "waits for vhost threads: the running machine has none" : CHANGED;
}

function eachLine(masks: Readonly<Record<string, string>>): string {
  return Object.entries(masks)
    .map(([tid, list]) => `taskset -pc ${list} ${tid}`)
    .join("; ");
}

/** Binds each vhost thread that there is now, to a mask that may differ. One that ends meanwhile needs none. */
async function bindVhost(
  pid: number,
  maskFor: (tid: number) => CpuSet | null,
  options: { readonly allowSubset: boolean; readonly timeout: number },
): Promise<void> {
  for (const { tid } of await vhostThreadsOf(pid)) {
    const wanted = maskFor(tid);
    if (wanted === null) continue;
    await bindThread(`vhost thread ${tid}`, tid, wanted, options).catch(async (error: unknown) => {
      if ((await readAffinity(tid).catch(() => null)) !== null) throw error;
    });
  }
}
