import { hasHoles, onlineVcpus } from "../../config/online-vcpus.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import type { Facts } from "../facts/facts.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { onlineInGuest } from "../facts/guest-half.ts";
import type { Live, Slot } from "../facts/live.ts";
import { readScheduling } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { countIn } from "./file-part.ts";
import { guestColumn, whyFewerInGuest } from "./guest-vcpus.ts";
import { checkCount } from "./max-vcpus.ts";
import { pendingUnplug } from "./pending.ts";
import { plug } from "./plug.ts";
import { replugRisk } from "./replug.ts";
import { type CheckOptions, type Reason, type ResourceKind, when } from "./resource.ts";
import { type BothFacts, CHANGED } from "./row.ts";
import { indices } from "./slots.ts";
import { unplug } from "./unplug.ts";
import { growSteps, noSlots, notStarted, presentVcpus, shrinkStep } from "./vcpu-steps.ts";
import { brokenCores, pluggedReasons, resized, vcpuEdits, withVcpus } from "./vcpus-config.ts";
import { exactly, haveHoles } from "./vcpus-online.ts";

/** How many vCPUs the machine is to have. */
export interface VcpusChange {
  readonly resource: "vcpus";
  readonly count: number;
}

/** `setvcpus`: how many vCPUs the machine has, by hotplug and unplug. */
export const vcpus: ResourceKind<VcpusChange, { readonly vcpus: { readonly current: number } }> = {
  resource: "vcpus",
  row: 30,
  label: () => "vcpus",
  unit: "count",
  members: { count: "number" },
  inFile: {
    path: ["vcpus", "current"],
    shape: "N",
    example: "2",
    changes: (value, place, complain) => {
      const count = countIn(value, place, complain);
      return count === undefined ? [] : [{ resource: "vcpus", count }];
    },
  },
  needsGuest: true,
  keepsTogether: true,
  threadsHave: ["vcpu-pin", "vcpu-sched"],
  stepKinds: [plug, unplug],
  reads: [readScheduling],
  withValue: (change, value) => (typeof value === "string" ? exactly(value) : { ...change, count: value }),
  check: (change) => checkCount("vCPUs", change.count),
  wanted: (change) => change.count,
  inConfig: (_change, config) => config.vcpus.current,
  edits: ({ count }, config) => vcpuEdits(config, resized(config, count)),
  applied: ({ count }, config) => withVcpus(config, resized(config, count)),
  inLive: (_change, live) => live.vcpus.length,
  needed: (change, facts) => facts.live.vcpus.length !== change.count || pendingUnplug(facts).length > 0,
  isAsked: (change, facts) => facts.live.vcpus.length - pendingUnplug(facts).length === change.count,
  command: (change, name) => `setvcpus ${shellWord(name)} ${change.count}`,

  rows: (facts) => {
    const { config, live } = facts;
    const row = { resource: "vcpus", config: config?.vcpus.current ?? null, live: live?.vcpus.length ?? null };
    return [{ ...row, ...guestColumn(live?.guest, onlineInGuest(live?.guest)), why: whyVcpus(facts) }];
  },
  // Where vCPUs are missing below others, vcpus-online.ts has both: a count does not say which.
  revert: ({ config, live }) =>
    config.vcpus.current <= live.maxVcpus && live.slots.length > 0 && !haveHoles({ config, live })
      ? [{ resource: "vcpus", count: config.vcpus.current }]
      : [],
  persist: (facts) => (haveHoles(facts) ? [] : [{ resource: "vcpus", count: facts.live.vcpus.length }]),
  back: (_change, facts) => {
    const present = presentVcpus(facts);
    return hasHoles(present) ? formatCpuList(present) : present.size;
  },

  configBack: (_change, { vcpus: stored }) => (hasHoles(onlineVcpus(stored)) ? formatCpuList(onlineVcpus(stored)) : stored.current),

  staticReasons: ({ count }, { after }, { name }) => [
    ...when(count > after.vcpus.max, () => ({
      reason: `${count} vCPUs are more than vcpus.max ${after.vcpus.max} of the config`,
      instead: `qmpctl setvcpus ${shellWord(name)} ${count} --maximum --static first`,
    })),
    ...brokenCores(count, after),
    ...pluggedReasons(after),
  ],

  liveReasons: (change, facts, options) => {
    const pending = pendingReasons(change, facts, options);
    return pending.length > 0 ? pending : countReasons(change.count, facts, options);
  },

  steps: ({ count }, facts) => {
    const { live } = facts;
    if (count > live.vcpus.length) return growSteps(chooseFree(live, count - live.vcpus.length) ?? [], facts);
    if (count === live.vcpus.length) return [];
    const leaving = leavingSlots(live, live.vcpus.length - count, new Set(pendingUnplug(facts)));
    return [shrinkStep(leaving, live.vcpus.length, facts)];
  },
};

/** An accepted unplug can't be taken back, so the same count may be asked again, and no other. */
function pendingReasons({ count }: VcpusChange, facts: LiveFacts, { name, force }: CheckOptions): readonly Reason[] {
  const pending = pendingUnplug(facts);
  const heading = facts.live.vcpus.length - pending.length;
  return when(pending.length > 0 && count !== heading && !force, () => ({
    reason: `the guest was asked to let go of vCPU ${pending.join(", ")} and has not done it yet; QEMU can't take that back`,
    instead: `wait until it has (qmpctl diff ${shellWord(name)}), or ask for ${heading} again, or --force`,
  }));
}

function countReasons(count: number, { live, asked }: LiveFacts, { name, force }: CheckOptions): readonly Reason[] {
  const now = live.vcpus.length;
  if (count === now) return [];
  if (live.slots.length === 0) return [noSlots(`setvcpus ${shellWord(name)} ${count}`)];
  if (count > live.maxVcpus) {
    return [
      {
        reason: `${count} vCPUs are more than the ${live.maxVcpus} that the running machine has room for`,
        instead: `at most ${live.maxVcpus}, or raise it with setvcpus --maximum --static and restart`,
      },
    ];
  }
  const chosen = count > now ? chooseFree(live, count - now) : chooseUsed(live, now - count);
  if (chosen === null) return [inexpressible(live, count)];
  if (count < now && live.status === "prelaunch") return [notStarted(name, `setvcpus ${shellWord(name)} ${count}`)];
  return count > now && !force ? replugRisk(chosen, live, asked) : [];
}

function inexpressible(live: Live, count: number): Reason {
  const whole = live.slots[0]?.count ?? 1;
  const lower = Math.max(whole, Math.floor(count / whole) * whole);
  const upper = Math.min(live.maxVcpus, Math.ceil(count / whole) * whole);
  return {
    reason: `${count} vCPUs can't be made of this machine's cores, which have ${whole} vCPUs each`,
    instead: lower === upper ? String(lower) : `${lower} or ${upper}`,
  };
}

/** The free slots to fill, lowest first; null when no whole number of them gives the count. */
function chooseFree(live: Live, count: number): readonly Slot[] | null {
  return choose(
    live.slots.filter((slot) => !slot.plugged),
    count,
  );
}

/** The slots to empty, highest first; the one of vCPU 0 never. */
function chooseUsed(live: Live, count: number): readonly Slot[] | null {
  return choose(live.slots.filter((slot) => slot.plugged && slot.first > 0).toReversed(), count);
}

function choose(slots: readonly Slot[], count: number): readonly Slot[] | null {
  const chosen: Slot[] = [];
  let left = count;
  for (const slot of slots) {
    if (left <= 0) break;
    chosen.push(slot);
    left -= slot.count;
  }
  return left === 0 ? chosen : null;
}

/** The slots that are to be empty afterwards: those that the guest was asked for already, and more where that is not enough. */
function leavingSlots(live: Live, leaving: number, pending: ReadonlySet<number>): readonly Slot[] {
  const asked = live.slots.filter((slot) => slot.plugged && pending.has(slot.first)).toReversed();
  const others = live.slots.filter((slot) => slot.plugged && slot.first > 0 && !pending.has(slot.first)).toReversed();
  const more = leaving - asked.reduce((sum, slot) => sum + slot.count, 0);
  return more <= 0 ? asked : [...asked, ...(choose(others, more) ?? [])];
}

/** The vCPUs that stay when the machine gets those of its config. */
export function stayingVcpus(facts: BothFacts): readonly number[] {
  const { live, config } = facts;
  const count = config.vcpus.current;
  const wanted = onlineVcpus(config.vcpus);
  if (haveHoles(facts)) return live.vcpus.map(({ index }) => index).filter((index) => wanted.has(index));
  const slots = count < live.vcpus.length ? leavingSlots(live, live.vcpus.length - count, new Set(pendingUnplug(facts))) : [];
  const leaving = new Set(slots.flatMap(indices));
  return live.vcpus.map(({ index }) => index).filter((index) => !leaving.has(index));
}

function whyVcpus(facts: Facts): string | null {
  const { config, live } = facts;
  if (live === null) return null;
  const pending = pendingUnplug({ ...facts, live });
  if (pending.length > 0) return `waits for the guest: asked to let go of vCPU ${pending.join(", ")}`;
  if (config === null || config.vcpus.current === live.vcpus.length) return whyFewerInGuest(facts);
  const why = live.slots.length === 0 || config.vcpus.current > live.maxVcpus ? "waits for the next start" : CHANGED;
  return [why, whyFewerInGuest(facts)].filter(Boolean).join("; ");
}
