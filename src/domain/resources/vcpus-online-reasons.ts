import type { LaunchConfig } from "../../config/launch.ts";
import { hasHoles, onlineVcpus } from "../../config/online-vcpus.ts";
import { wholeCore } from "../../config/topology.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Slot } from "../facts/live.ts";
import { listVcpus, shellWord } from "../model/format.ts";
import { pendingUnplug } from "./pending.ts";
import { holeRisk, replugRisk } from "./replug.ts";
import { type CheckOptions, type Reason, when } from "./resource.ts";
import { indices } from "./slots.ts";
import { noSlots, notStarted, presentVcpus } from "./vcpu-steps.ts";
import { pluggedReasons } from "./vcpus-config.ts";

type Vcpus = ReadonlySet<number>;

/** What speaks against these vCPUs in a config. `listed`: every vCPU that the change names. */
export function onlineInConfigReasons(listed: Vcpus, { after, live }: Facts & { readonly after: LaunchConfig }): readonly Reason[] {
  const set = onlineVcpus(after.vcpus);
  return [
    ...firstStays(set),
    ...outOfRange(listed, after.vcpus.max, "the config"),
    ...brokenCores(set, wholeCore(after)),
    ...pluggedReasons(after),
    ...(live === null || !hasHoles(set) ? [] : [...boardReasons(live.slots), ...holeRisk(set, live)]),
  ];
}

/** What a change means for the running machine. */
interface Moves {
  readonly listed: Vcpus;
  /** The vCPUs that it leads to. */
  readonly result: Vcpus;
  readonly coming: readonly Slot[];
  readonly leaving: readonly Slot[];
}

/** What speaks against it on the running machine. `command`: the words that ask for it. */
export function onlineLiveReasons(
  { listed, result, coming, leaving }: Moves,
  facts: LiveFacts,
  { name, force, command }: CheckOptions & { readonly command: string },
): readonly Reason[] {
  const { live, asked } = facts;
  if (live.slots.length === 0) return [noSlots(command)];
  const split = [...coming, ...leaving].flatMap((slot) => splitCore(slot, result));
  const reasons = [...firstStays(result), ...outOfRange(listed, live.maxVcpus, "the running machine"), ...split];
  if (reasons.length > 0) return reasons;
  return [
    ...(force ? [] : pendingReasons(listed, result, facts, name)),
    ...when(leaving.length > 0 && live.status === "prelaunch", () => notStarted(name, command)),
    ...(force ? [] : replugRisk(coming, live, asked)),
    ...(force || sameAs(result, presentVcpus(facts)) ? [] : holeRisk(result, live)),
  ];
}

function sameAs(one: Vcpus, other: Vcpus): boolean {
  return one.size === other.size && [...one].every((vcpu) => other.has(vcpu));
}

function firstStays(set: Vcpus): readonly Reason[] {
  return when(!set.has(0), () => ({
    reason: "vCPU 0 can't be taken away: a machine starts with it, and QEMU does not let it go",
    instead: "any other vCPU",
  }));
}

function outOfRange(listed: Vcpus, room: number, whose: string): readonly Reason[] {
  const stray = [...listed].filter((vcpu) => vcpu >= room);
  return when(stray.length > 0, () => ({
    reason: `${listVcpus(stray)}: out of range of ${whose}, which has room for ${room}`,
    instead: room === 1 ? "more room: setvcpus --maximum --static, and a restart" : `vCPUs from 0 to ${room - 1}`,
  }));
}

/** POWER machines have whole cores only. */
function brokenCores(set: Vcpus, whole: number): readonly Reason[] {
  const split = [...set].filter((vcpu) => firstThreads(vcpu, whole).some((each) => !set.has(each)));
  return when(split.length > 0, () => ({
    reason: `${listVcpus(split)}: this emulator has whole cores of ${whole} threads only`,
    instead: listVcpus(split.flatMap((vcpu) => firstThreads(vcpu, whole))),
  }));
}

function firstThreads(vcpu: number, whole: number): readonly number[] {
  const first = vcpu - (vcpu % whole);
  return Array.from({ length: whole }, (_, offset) => first + offset);
}

function boardReasons(slots: readonly Slot[]): readonly Reason[] {
  return when(slots.length === 0, () => ({
    reason: "this machine can't plug vCPUs, so it starts with those from vCPU 0 on only",
    instead: "qmpctl setvcpus, for how many there are",
  }));
}

function splitCore(slot: Slot, result: Vcpus): readonly Reason[] {
  const [on, off] = [indices(slot).filter((vcpu) => result.has(vcpu)), indices(slot).filter((vcpu) => !result.has(vcpu))];
  return when(on.length > 0 && off.length > 0, () => ({
    reason: `${listVcpus(indices(slot))} are one core of this machine, which comes and goes as a whole`,
    instead: `all ${slot.count} of them`,
  }));
}

/** An accepted unplug can't be taken back: the vCPU leaves, even if it is asked for again. */
function pendingReasons(listed: Vcpus, result: Vcpus, facts: LiveFacts, name: string): readonly Reason[] {
  const kept = pendingUnplug(facts).filter((vcpu) => listed.has(vcpu) && result.has(vcpu));
  return when(kept.length > 0, () => ({
    reason: `the guest was asked to let go of ${listVcpus(kept)} and has not done it yet; QEMU can't take that back`,
    instead: `wait until it has (qmpctl diff ${shellWord(name)}), or disable ${kept.length === 1 ? "it" : "them"} too, or --force`,
  }));
}
