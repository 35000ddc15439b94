import { startedVcpus } from "../../config/argv.ts";
import { hasHoles, onlineVcpus } from "../../config/online-vcpus.ts";
import { HostError, UsageError } from "../../errors.ts";
import { formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import type { Session } from "../../qmp/session.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Live, Slot } from "../facts/live.ts";
import { readScheduling } from "../facts/read-threads.ts";
import { listVcpus, shellWord } from "../model/format.ts";
import { ALL } from "./cpu-list.ts";
import { pendingUnplug } from "./pending.ts";
import { plug } from "./plug.ts";
import { holeRisk } from "./replug.ts";
import type { AnyChange, ResourceKind } from "./resource.ts";
import { type BothFacts, CHANGED, type RowFacts } from "./row.ts";
import { indices, plugStep } from "./slots.ts";
import { unplug } from "./unplug.ts";
import { growSteps, presentVcpus, shrinkStep } from "./vcpu-steps.ts";
import { vcpuEdits, withVcpus } from "./vcpus-config.ts";
import { onlineInConfigReasons, onlineLiveReasons } from "./vcpus-online-reasons.ts";

/** Which vCPUs a machine is to have, by their numbers. */
export interface VcpusOnlineChange {
  readonly resource: "vcpus-online";
  /** The vCPUs that it is about, as a list (`2-3`), or `all`: others stay as they are. */
  readonly vcpus: string;
  /** Those of them that the machine is to have, as a list, or `none`. */
  readonly online: string;
}

/** What is written for no vCPU of a list. */
const NONE = "none";
/** One above the highest number of a vCPU. */
const LIMIT = 4096;

/** `setvcpu`: which vCPUs the machine has, by hotplug and unplug of chosen ones. */
export const vcpusOnline: ResourceKind<VcpusOnlineChange, { readonly vcpus: { readonly online: string } }> = {
  resource: "vcpus-online",
  row: 35,
  label: ({ vcpus }) => (vcpus === ALL ? "vcpus-online" : `vcpus-online ${canonical(vcpus)}`),
  unit: "text",
  members: { vcpus: "text", online: "text" },
  inFile: {
    path: ["vcpus", "online"],
    shape: "VCPULIST",
    example: '"0,3"',
    changes: (value, place, complain) => {
      if (typeof value === "string") return [exactly(value)];
      complain(place, value, 'a list of vCPUs, as "0,3"');
      return [];
    },
  },
  needsGuest: true,
  keepsTogether: true,
  threadsHave: ["vcpu-pin", "vcpu-sched"],
  stepKinds: [plug, unplug],
  reads: [readScheduling],
  withValue: (change, value) => ({ ...change, online: value === "on" ? change.vcpus : value === "off" ? NONE : String(value) }),

  check: (change) => {
    const [about, on] = [aboutOf(change), onOf(change)];
    const stray = about === null ? [] : [...on].filter((vcpu) => !about.has(vcpu));
    if (stray.length > 0)
      throw new UsageError(`${listVcpus(stray)}: not among the vCPUs ${change.vcpus}`, { value: change.online, expected: change.vcpus });
    if (on.size === 0 && about === null)
      throw new UsageError("no vCPU: a machine has one at least", { value: change.online, expected: "0" });
  },
  clash: ({ vcpus, online }, other) => {
    if (other.resource === "vcpus") return `${online} and a number of vCPUs: both say which vCPUs there are; give one of them`;
    if (!isOfVcpus(other)) return null;
    const [one, two] = [aboutOf({ vcpus }), aboutOf(other)];
    const shared = one === null || two === null ? (one ?? two ?? new Set([0])) : new Set([...one].filter((vcpu) => two.has(vcpu)));
    return shared.size === 0 ? null : `${listVcpus([...shared])}: asked for twice in one set of changes`;
  },
  covers: (change, other) => change.vcpus === ALL && other.resource === "vcpus" && "count" in other && other.count === onOf(change).size,
  wanted: (change) => shown(change, onOf(change)),
  command: (change, name) => `setvcpu ${shellWord(name)} ${words(change)}`,

  inConfig: (change, { vcpus }) => shown(change, onlineVcpus(vcpus)),
  edits: (change, config) => vcpuEdits(config, resultOf(change, onlineVcpus(config.vcpus))),
  applied: (change, config) => withVcpus(config, resultOf(change, onlineVcpus(config.vcpus))),
  staticReasons: (change, facts) => onlineInConfigReasons(listed(change), facts),

  inLive: (change, live) => shown(change, presentVcpus({ live })),
  needed: (change, facts) =>
    shown(change, presentVcpus(facts)) !== shown(change, onOf(change)) || pendingUnplug(facts).some((vcpu) => onOf(change).has(vcpu)),
  liveReasons: (change, facts, options) =>
    onlineLiveReasons({ ...movedSlots(change, facts), result: resultOf(change, presentVcpus(facts)), listed: listed(change) }, facts, {
      ...options,
      command: `setvcpu ${shellWord(options.name)} ${words(change)}`,
    }),

  steps: (change, facts) => {
    const { coming, leaving } = movedSlots(change, facts);
    const most = facts.live.vcpus.length + coming.reduce((sum, slot) => sum + slot.count, 0);
    return [...growSteps(coming, facts), ...(leaving.length === 0 ? [] : [shrinkStep(leaving, most, facts)])];
  },

  rows: (facts) => rowsOf(facts),
  revert: (facts) => {
    const wanted = onlineVcpus(facts.config.vcpus);
    return canBe(wanted, facts.live) && haveHoles(facts) ? [exactly(formatCpuList(wanted))] : [];
  },
  persist: (facts) => (haveHoles(facts) ? [exactly(formatCpuList(presentVcpus(facts)))] : []),

  atStart: async (config, live, session) => {
    const wanted = onlineVcpus(config.vcpus);
    const missing = [...wanted].filter((vcpu) => !live.vcpus.some(({ index }) => index === vcpu));
    if (startedVcpus(config) === wanted.size || missing.length === 0) return;
    const [risk] = holeRisk(wanted, live);
    if (risk !== undefined) throw new HostError(`vcpus.online is ${config.vcpus.online}: ${risk.reason}`);
    await plugAtStart(missing, live, session);
  },
};

/** The change that gives a machine exactly these vCPUs. */
export function exactly(online: string): VcpusOnlineChange {
  return { resource: "vcpus-online", vcpus: ALL, online };
}

/** Whether vCPUs are missing below others in either half, so that a number of them does not say which they are. */
export function haveHoles({ config, live }: Pick<BothFacts, "config" | "live">): boolean {
  return hasHoles(onlineVcpus(config.vcpus)) || hasHoles(presentVcpus({ live }));
}

function isOfVcpus(change: AnyChange): change is VcpusOnlineChange {
  return change.resource === "vcpus-online";
}

function numbersOf(list: string): ReadonlySet<number> {
  const numbers = parseVcpuList(list);
  const high = [...numbers].find((vcpu) => vcpu >= LIMIT);
  if (high !== undefined)
    throw new UsageError(`vCPU ${high}: no such vCPU`, { value: list, expected: `a vCPU's number, up to ${LIMIT - 1}` });
  return numbers;
}

/** @throws UsageError for what is no list */
function parseVcpuList(list: string): ReadonlySet<number> {
  try {
    return parseCpuList(list);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    const message = cause.message.replace(/^CPU list/, "vCPU list").replace("no CPU is", "no vCPU is");
    throw new UsageError(message, { value: list, expected: "numbers of vCPUs and ranges, as 3 or 1,4-6" }, { cause });
  }
}

function canonical(list: string): string {
  return formatCpuList(numbersOf(list));
}

/** The vCPUs that a change is about; null: all. */
function aboutOf({ vcpus }: Pick<VcpusOnlineChange, "vcpus">): ReadonlySet<number> | null {
  return vcpus === ALL ? null : numbersOf(vcpus);
}

function onOf({ online }: Pick<VcpusOnlineChange, "online">): ReadonlySet<number> {
  return online === NONE ? new Set() : numbersOf(online);
}

/** Every vCPU that a change names. */
function listed(change: VcpusOnlineChange): ReadonlySet<number> {
  return aboutOf(change) ?? onOf(change);
}

/** A set as it is shown: whole, or only `on` and `off` where a change is about some. */
function shown(change: Pick<VcpusOnlineChange, "vcpus">, set: ReadonlySet<number>): string {
  const about = aboutOf(change);
  if (about === null) return formatCpuList(set);
  const on = new Set([...about].filter((vcpu) => set.has(vcpu)));
  return on.size === 0 ? "off" : on.size === about.size ? "on" : formatCpuList(on);
}

/** The words of a command line that ask for it. */
function words(change: VcpusOnlineChange): string {
  const wanted = shown(change, onOf(change));
  if (change.vcpus === ALL) return `${wanted} --only`;
  const about = canonical(change.vcpus);
  return wanted === "on" ? `${about} --enable` : wanted === "off" ? `${about} --disable` : `${wanted} --only --among ${about}`;
}

/** The vCPUs after a change of a machine that has these. */
function resultOf(change: VcpusOnlineChange, before: ReadonlySet<number>): ReadonlySet<number> {
  const about = aboutOf(change);
  const others = about === null ? [] : [...before].filter((vcpu) => !about.has(vcpu));
  return new Set([...others, ...onOf(change)].sort((one, other) => one - other));
}

/** The slots to fill, lowest first, and those to empty, highest first. A slot of several vCPUs counts if any of them is to come or go. */
function movedSlots(change: VcpusOnlineChange, facts: LiveFacts): { readonly coming: readonly Slot[]; readonly leaving: readonly Slot[] } {
  const wanted = resultOf(change, presentVcpus(facts));
  const has = (slot: Slot, on: boolean): boolean => indices(slot).some((vcpu) => wanted.has(vcpu) === on);
  return {
    coming: facts.live.slots.filter((slot) => !slot.plugged && has(slot, true)),
    leaving: facts.live.slots.filter((slot) => slot.plugged && has(slot, false)).toReversed(),
  };
}

/** Whether a running machine has room for these. */
function canBe(set: ReadonlySet<number>, live: Live): boolean {
  return live.slots.length > 0 && Math.max(...set) < live.maxVcpus;
}

function rowsOf({ config, live }: RowFacts): ReturnType<typeof vcpusOnline.rows> {
  const wanted = config === null ? null : onlineVcpus(config.vcpus);
  const present = live === null ? null : presentVcpus({ live });
  if (![wanted, present].some((set) => set !== null && hasHoles(set))) return [];
  const [one, other] = [wanted, present].map((set) => (set === null ? null : formatCpuList(set)));
  const differ = wanted !== null && live !== null && one !== other;
  const why = !differ ? null : canBe(wanted, live) ? CHANGED : "waits for the next start";
  return [{ resource: "vcpus-online", config: one ?? null, live: other ?? null, guest: null, why }];
}

/** Plugs vCPUs of a machine that is set up and does not run yet, and reads back that they are there. */
async function plugAtStart(vcpus: readonly number[], live: Live, session: Session): Promise<void> {
  const slots = live.slots.filter((slot) => !slot.plugged && indices(slot).some((vcpu) => vcpus.includes(vcpu)));
  const filled = new Set(slots.flatMap(indices));
  const stray = vcpus.filter((vcpu) => !filled.has(vcpu));
  if (stray.length > 0) throw new HostError(`${listVcpus(stray)}: vcpus.online has it, and this machine has no place to plug it into`);
  const split = [...filled].filter((vcpu) => !vcpus.includes(vcpu));
  if (split.length > 0) throw new HostError(`${listVcpus(split)}: vcpus.online lacks it, and it comes with the others of its core`);
  for (const slot of slots) {
    const { id } = plugStep(slot, live);
    await session.execute("device_add", { driver: slot.type, id, ...slot.props });
  }
  const now = new Set((await session.execute("query-cpus-fast")).map((cpu) => cpu["cpu-index"]));
  const absent = vcpus.filter((vcpu) => !now.has(vcpu));
  if (absent.length > 0) throw new HostError(`${listVcpus(absent)}: QEMU took it, and does not show it`);
}
