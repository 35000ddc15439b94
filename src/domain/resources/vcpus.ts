import type { LaunchConfig } from "../../config/launch.ts";
import { pluggingOptions } from "../../config/plugged.ts";
import type { Facts } from "../facts/facts.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Live, Slot } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { countIn } from "./file-part.ts";
import { checkCount } from "./max-vcpus.ts";
import { plug } from "./plug.ts";
import { replugRisk } from "./replug.ts";
import { type CheckOptions, type Reason, type ResourceKind, when } from "./resource.ts";
import { CHANGED } from "./row.ts";
import { indices, plugStep } from "./slots.ts";
import type { PinStep, Step, UnplugStep } from "./step.ts";
import { unplug } from "./unplug.ts";

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
  stepKinds: [plug, unplug],
  withValue: (change, value) => ({ ...change, count: Number(value) }),
  check: (change) => checkCount("vCPUs", change.count),
  wanted: (change) => change.count,
  inConfig: (_change, config) => config.vcpus.current,
  edits: (change) => [{ path: ["vcpus", "current"], value: change.count }],
  applied: (change, config) => ({ ...config, vcpus: { ...config.vcpus, current: change.count } }),
  inLive: (_change, live) => live.vcpus.length,
  needed: (change, facts) => facts.live.vcpus.length !== change.count || pendingUnplug(facts).length > 0,
  command: (change, name) => `setvcpus ${shellWord(name)} ${change.count}`,

  rows: (facts) => {
    const { config, live } = facts;
    const row = { resource: "vcpus", config: config?.vcpus.current ?? null, live: live?.vcpus.length ?? null };
    return [{ ...row, guest: null, why: whyVcpus(facts) }];
  },
  revert: ({ config: { vcpus: wanted }, live }) =>
    wanted.current <= live.maxVcpus && live.slots.length > 0 ? [{ resource: "vcpus", count: wanted.current }] : [],
  persist: ({ live }) => [{ resource: "vcpus", count: live.vcpus.length }],

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
    return count < live.vcpus.length ? shrinkSteps(count, facts) : [];
  },
};

/**
 * vCPUs that args plug have places of their own, which QEMU would give to others where there are more of them, or leave behind where there
 * are fewer.
 */
function pluggedReasons({ args }: LaunchConfig): readonly Reason[] {
  const plugging = pluggingOptions(args);
  return when(plugging.length > 0, () => ({
    reason: `args plug vCPUs themselves, in places of their own: ${plugging.map(({ words }) => words.join(" ")).join(", ")}`,
    instead: "take those words out of args, and vcpus.current says how many there are",
  }));
}

/** vCPUs that the guest was asked to let go of and still has. */
export function pendingUnplug({ asked, live }: LiveFacts): readonly number[] {
  return (asked.unplug ?? []).filter((index) => live.vcpus.some((vcpu) => vcpu.index === index));
}

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
  if (live.slots.length === 0)
    return [
      {
        reason: "this machine can't plug vCPUs while it runs",
        instead: `qmpctl setvcpus ${shellWord(name)} ${count} --static, then restart`,
      },
    ];
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
  if (count < now && live.status === "prelaunch") return [notStarted(name, count)];
  return count > now && !force ? replugRisk(chosen, live, asked) : [];
}

/**
 * Before the guest has set ACPI up, QEMU refuses an unplug in words of its own; 11 takes it, and the guest never hears of it (measured).
 */
function notStarted(name: string, count: number): Reason {
  return {
    reason: "the guest has not started yet, so it can't let go of a vCPU",
    instead: `qmpctl resume ${shellWord(name)} and wait until it is up, or qmpctl setvcpus ${shellWord(name)} ${count} --static`,
  };
}

/** POWER machines start with whole cores only, as QEMU's hw/ppc/spapr.c has it; others take any count. */
function brokenCores(count: number, { emulator, vcpus: { max, topology } }: LaunchConfig): readonly Reason[] {
  const whole = topology?.threads ?? 1;
  const lower = Math.max(whole, Math.floor(count / whole) * whole);
  const upper = Math.min(max, Math.ceil(count / whole) * whole);
  return when(/qemu-system-ppc64[^/]*$/.test(emulator) && count <= max && count % whole !== 0, () => ({
    reason: `${count} vCPUs can't be made of whole cores of ${whole} threads, and this emulator starts with no others`,
    instead: lower === upper ? String(lower) : `${lower} or ${upper}`,
  }));
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

/** Plug each, and give each new thread its own mask at once: it would inherit the emulator's. */
function growSteps(slots: readonly Slot[], facts: LiveFacts): readonly Step[] {
  return slots.flatMap((slot): Step[] => [plugStep(slot, facts.live), ...indices(slot).flatMap((vcpu) => maskStep(vcpu, facts))]);
}

function maskStep(vcpu: number, { live, config, online }: LiveFacts): readonly PinStep[] {
  if (live.pinObstacle !== null || live.pid === null) return [];
  const pin = config?.vcpus.pin[String(vcpu)];
  if (pin !== undefined) return [{ kind: "pin", vcpu, cpus: pin, before: null, allowSubset: false }];
  const inherits = live.mainAffinity !== null && [...online].every((cpu) => live.mainAffinity?.has(cpu));
  return inherits ? [] : [{ kind: "pin", vcpu, cpus: "all", before: null, allowSubset: true }];
}

function shrinkSteps(count: number, facts: LiveFacts): readonly UnplugStep[] {
  const { live } = facts;
  const slots = leavingSlots(live, live.vcpus.length - count, new Set(pendingUnplug(facts)));
  return [
    {
      kind: "unplug",
      slots: slots.flatMap((slot) => (slot.device === null ? [] : [{ slot, device: slot.device }])),
      from: live.vcpus.length,
      to: count,
      noReturn:
        replugRisk(
          slots.map((slot) => ({ ...slot, ejected: true })),
          live,
          facts.asked,
        )[0]?.reason ?? null,
    },
  ];
}

/** The slots that are to be empty afterwards: those that the guest was asked for already, and more where that is not enough. */
function leavingSlots(live: Live, leaving: number, pending: ReadonlySet<number>): readonly Slot[] {
  const asked = live.slots.filter((slot) => slot.plugged && pending.has(slot.first)).toReversed();
  const others = live.slots.filter((slot) => slot.plugged && slot.first > 0 && !pending.has(slot.first)).toReversed();
  const more = leaving - asked.reduce((sum, slot) => sum + slot.count, 0);
  return more <= 0 ? asked : [...asked, ...(choose(others, more) ?? [])];
}

/** The vCPUs that stay when the machine shrinks to this count. */
export function stayingVcpus(facts: LiveFacts, count: number): readonly number[] {
  const { live } = facts;
  const slots = count < live.vcpus.length ? leavingSlots(live, live.vcpus.length - count, new Set(pendingUnplug(facts))) : [];
  const leaving = new Set(slots.flatMap(indices));
  return live.vcpus.map(({ index }) => index).filter((index) => !leaving.has(index));
}

function whyVcpus(facts: Facts): string | null {
  const { config, live } = facts;
  if (live === null) return null;
  const pending = pendingUnplug({ ...facts, live });
  if (pending.length > 0) return `waits for the guest: asked to let go of vCPU ${pending.join(", ")}`;
  if (config === null || config.vcpus.current === live.vcpus.length) return null;
  return live.slots.length === 0 || config.vcpus.current > live.maxVcpus ? "waits for the next start" : CHANGED;
}
