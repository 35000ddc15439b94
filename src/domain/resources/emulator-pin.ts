import type { LaunchConfig } from "../../config/launch.ts";
import { HostError } from "../../errors.ts";
import { type CpuSet, formatCpuList } from "../../host/cpulist.ts";
import { onlineCpus, readAffinity, setAffinity } from "../../host/taskset.ts";
import { threadsOf } from "../../host/threads.ts";
import type { Session } from "../../qmp/session.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { ALL, canonical, hostReasons, resolveCpuList, shownMask } from "./cpu-list.ts";
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
  /** The main thread's mask before. */
  readonly before: string | null;
  /** The kernel may give less than was asked for: true where "all CPUs" is meant. */
  readonly allowSubset: boolean;
}

/**
 * Binds the threads by taskset(1): first the main thread, whose mask every worker inherits that it starts from then on (QEMU's
 * util/thread-pool.c), then those that are there. It counts when the kernel's masks, read back, are what was asked for.
 */
const binding: StepKind<EmulatorPinStep> = {
  kind: "emulator-pin",
  rank: 1,
  asksGuest: false,
  what: ({ cpus }) => `pin QEMU's own threads to ${cpus === ALL ? "all CPUs" : `CPU ${cpus}`}`,
  sends: ({ cpus }, facts) => tasksetLine(formatCpuList(resolveCpuList(cpus, facts.online)), facts),
  undoing: ({ before }, facts) => (before === null ? undefined : tasksetLine(before, facts)),

  begin: async ({ cpus, allowSubset }, { monitor, deadline, signal }) => {
    const { pid } = monitor;
    if (pid === null) throw new HostError("QEMU's threads are not on this host");
    const others = await monitor.ask((session) => otherThreads(session), { by: deadline, signal });
    await bind(pid, others, resolveCpuList(cpus, await onlineCpus()), { allowSubset, timeout: Math.max(1, deadline.left()) });
  },

  readBack: async () => ({ outcome: "done" }),
  inverse: ({ before }) => (before === null ? [] : [stepTo(before, null)]),
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
  needed: ({ cpus }, { live, online }) => maskOf(live) !== formatCpuList(resolveCpuList(cpus, online)),
  liveReasons: ({ cpus }, facts) =>
    facts.live.pid === null
      ? [{ reason: "QEMU's threads are not on this host, so they can't be pinned", instead: "on the host where its QEMU runs" }]
      : hostReasons(cpus, facts),
  steps: ({ cpus }, { live }) => [stepTo(canonical(cpus), maskOf(live))],

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
    await bind(pid, await otherThreads(session), wanted, { allowSubset: false, timeout: 5000 });
  },
};

function stepTo(cpus: string, before: string | null): EmulatorPinStep {
  return { kind: "emulator-pin", cpus, before, allowSubset: cpus === ALL };
}

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

function tasksetLine(list: string, { live }: Facts): string {
  return `taskset -pc ${list} ${live?.pid ?? "(QEMU)"}, and each worker of it`;
}

/** The threads that are not QEMU's own: vCPUs and iothreads have masks of their own. */
async function otherThreads(session: Session): Promise<ReadonlySet<number>> {
  const [cpus, iothreads] = await Promise.all([session.execute("query-cpus-fast"), session.execute("query-iothreads")]);
  return new Set([...cpus, ...iothreads].map((each) => Number(each["thread-id"])));
}

/** Threads that carry a name of what has its own mask: a vCPU that has left (software emulation keeps its thread), a vhost thread. */
const NAMED_OTHERS = /^(CPU \d|vhost-)/;

interface BindOptions {
  readonly allowSubset: boolean;
  readonly timeout: number;
}

/** Binds the main thread, then its workers. One that ends meanwhile needs no mask. @throws HostError when the kernel gives other CPUs */
async function bind(pid: number, others: ReadonlySet<number>, wanted: CpuSet, { allowSubset, timeout }: BindOptions): Promise<void> {
  const suffices = (actual: CpuSet): boolean => [...actual].every((cpu) => wanted.has(cpu)) && (allowSubset || actual.size === wanted.size);
  const actual = await setAffinity(pid, wanted, { timeout });
  const limited = (given: CpuSet): string =>
    `QEMU's own threads: asked for CPUs ${formatCpuList(wanted)}, the kernel gives ${formatCpuList(given)}: a cpuset limits what QEMU may use`;
  if (!suffices(actual)) throw new HostError(limited(actual));
  const workers = (await threadsOf(pid)).filter(({ tid, name }) => tid !== pid && !others.has(tid) && !NAMED_OTHERS.test(name));
  for (const { tid } of workers) {
    const given = await setAffinity(tid, wanted, { timeout }).catch(async (error: unknown) => {
      if ((await readAffinity(tid).catch(() => null)) !== null) throw error;
      return null;
    });
    if (given !== null && !suffices(given)) throw new HostError(limited(given));
  }
}
