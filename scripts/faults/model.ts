import { isDeepStrictEqual } from "node:util";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { DISK_SIZE } from "../lab/fake-disks.ts";
import { type Share, shareAfter, sharePart } from "./model-cpu.ts";
import { diskPart, type Disks, disksAfter } from "./model-disks.ts";
import { devicePart, type Devices, devicesAfter, dimmsOf, memoryAfter } from "./model-memory.ts";
import { fixedThreads, iothreadsFirst, liveThreads, threadPart, type Threads, vcpuThreads } from "./model-threads.ts";

import { afterChosen, afterCount, afterGuest, type Chosen, mayChoose, shownChosen, wantedChosen } from "./model-vcpus.ts";

/** A domain in the model: sizes in MiB, masks as lists. The model shares no code with the product. */
export interface State {
  readonly config: {
    readonly memory: number;
    readonly maxMemory: number;
    /** The numbers of its vCPUs. */
    readonly vcpus: readonly number[];
    readonly maxVcpus: number;
    readonly pins: Readonly<Record<string, string>>;
    /** The list for QEMU's own threads, `all` where there is none. */
    readonly emulator: string;
    readonly threads: Threads;
    readonly disks: Disks;
    /** How often the guest is asked, in seconds. */
    readonly period: number;
    readonly devices: Devices;
    readonly share: Share;
    /** The words of its device that comes and goes, or `absent`. */
    readonly device: string;
  };
  /** Null: it is stopped. `masks` by the number of the vCPU. */
  readonly live: {
    readonly memory: number;
    readonly maxMemory: number;
    readonly maxVcpus: number;
    readonly masks: Readonly<Record<string, string>>;
    /** The vCPUs that the guest does not use. */
    readonly offline: readonly number[];
    /** Whether the guest can be asked what it uses. */
    readonly answers: boolean;
    /** The mask of QEMU's main thread. */
    readonly emulator: string;
    readonly threads: Threads;
    readonly disks: Disks;
    readonly period: number;
    readonly devices: Devices;
    /** Null: it has no control group of its own. */
    readonly share: Share | null;
    readonly device: string;
  } | null;
}

/** The state after a set of changes. Null: the set must be refused. */
export interface Prediction {
  readonly after: State | null;
  /** Whether the config must be written, and whether the machine must be changed. */
  readonly writes: boolean;
  readonly acts: boolean;
}

/** Bytes in a MiB. */
export const MIB: number = 2 ** 20;

/** Which halves a scope has. */
export function legsOf(scope: Scope, runs: boolean): { readonly fixed: boolean; readonly running: boolean } {
  return {
    fixed: scope === "static" || scope === "both" || (scope === "current" && !runs),
    running: scope === "dynamic" || scope === "both" || (scope === "current" && runs),
  };
}

/** What a change wants, in the units of reports. */
export function wantedOf(change: Change): number | string {
  if ("size" in change) return change.size;
  if ("count" in change) return change.count;
  if ("seconds" in change) return change.seconds;
  const own = sharePart(change) ?? diskPart(change);
  if (own !== null) return own.value;
  if ("words" in change) return change.words;
  if (change.resource === "vcpus-online") return wantedChosen(change);
  return "cpus" in change ? change.cpus : (threadPart(change)?.value ?? "");
}

/** The value in the config, in the units of reports. Null: it has no such device. */
export function inConfig(change: Change, { config }: State): number | string | null {
  if (change.resource === "vcpu-pin") return config.pins[change.vcpu] ?? "all";
  if (change.resource === "emulator-pin") return config.emulator;
  if (change.resource === "guest-vcpus" || change.resource === "disk-size") return null;
  if (change.resource === "vcpus-online") return shownChosen(config.vcpus, change);
  const share = sharePart(change);
  if (share !== null) return config.share[share.label];
  const part = threadPart(change);
  if (part !== null) return config.threads[part.label] ?? part.none;
  const disk = diskPart(change);
  if (disk !== null) return config.disks[disk.label];
  if (change.resource === "memory-period") return config.period;
  const device = devicePart(change);
  if (device !== null) return inBytes(config.devices[device.label] ?? (change.resource === "dimm" ? 0 : undefined));
  if (change.resource === "device") return config.device;
  return { memory: config.memory * MIB, "max-memory": config.maxMemory * MIB, vcpus: config.vcpus.length, "max-vcpus": config.maxVcpus }[
    change.resource as "memory" | "max-memory" | "vcpus" | "max-vcpus"
  ];
}

/** The value on the running machine. Null: it is stopped, or has no such vCPU. */
export function inLive(change: Change, { live }: State): number | string | null {
  if (live === null) return null;
  if (change.resource === "vcpu-pin") return live.masks[change.vcpu] ?? null;
  if (change.resource === "emulator-pin") return live.emulator;
  if (change.resource === "guest-vcpus") return live.answers ? vcpusOf(live).length - live.offline.length : null;
  if (change.resource === "disk-size") return DISK_SIZE;
  if (change.resource === "vcpus-online") return shownChosen(vcpusOf(live), change);
  const share = sharePart(change);
  if (share !== null) return live.share?.[share.label] ?? null;
  const part = threadPart(change);
  if (part !== null) return live.threads[part.label] ?? (change.resource === "iothread" ? part.none : null);
  const disk = diskPart(change);
  if (disk !== null) return live.disks[disk.label];
  if (change.resource === "memory-period") return live.period;
  const device = devicePart(change);
  if (device !== null) return inBytes(live.devices[device.label] ?? (change.resource === "dimm" ? 0 : undefined));
  if (change.resource === "device") return live.device;
  return { memory: live.memory * MIB, "max-memory": live.maxMemory * MIB, vcpus: vcpusOf(live).length, "max-vcpus": live.maxVcpus }[
    change.resource as "memory" | "max-memory" | "vcpus" | "max-vcpus"
  ];
}

function inBytes(mib: number | undefined): number | null {
  return mib === undefined ? null : mib * MIB;
}

/** The numbers of a running machine's vCPUs. */
function vcpusOf({ masks }: NonNullable<State["live"]>): readonly number[] {
  return Object.keys(masks)
    .map(Number)
    .sort((one, other) => one - other);
}

/** Predicts a set of changes in a scope. `all`: the mask of a thread that is not pinned. */
export function predict(state: State, changes: readonly Change[], scope: Scope, all: string): Prediction {
  const { fixed, running } = legsOf(scope, state.live !== null);
  const config = fixed ? fixedAfter(state.config, running ? withoutSizes(changes) : changes) : state.config;
  const live = running ? (state.live === null ? null : liveAfter(state.live, changes, all, state.config)) : state.live;
  if (config === null || (running && live === null)) return { after: null, writes: false, acts: false };
  const same = isDeepStrictEqual;
  return { after: { config, live }, writes: !same(config, state.config), acts: !same(live, state.live) };
}

/** The image of a disk that a machine has in use is that machine's. */
function withoutSizes(changes: readonly Change[]): readonly Change[] {
  return changes.filter(({ resource }) => resource !== "disk-size");
}

function fixedAfter(before: State["config"], changes: readonly Change[]): State["config"] | null {
  let { memory, maxMemory, vcpus, maxVcpus, pins, emulator, threads, disks, period, devices, share, device } = before;
  const chosen: Chosen[] = [];
  for (const change of iothreadsFirst(changes, false)) {
    const moved = fixedThreads(threads, change);
    if (moved === null) return null;
    threads = moved;
    const changed = devicesAfter(devices, change);
    if (changed === null) return null;
    devices = changed;
    share = shareAfter(share, change);
    if (change.resource === "max-memory") maxMemory = change.size / MIB;
    if (change.resource === "vcpus") vcpus = afterCount(vcpus, change.count);
    if (change.resource === "max-vcpus") maxVcpus = change.count;
    if (change.resource === "emulator-pin") emulator = change.cpus;
    disks = disksAfter(disks, change);
    if (change.resource === "disk-size") return null;
    if (change.resource === "memory-period") period = change.seconds;
    if (change.resource === "device") device = change.words;
    if (change.resource === "vcpus-online") chosen.push(change);
    if (change.resource !== "vcpu-pin") continue;
    const { [change.vcpu]: _, ...others } = pins;
    pins = change.cpus === "all" ? others : { ...others, [change.vcpu]: change.cpus };
  }
  // What the guest uses is nothing for a config.
  if (changes.some(({ resource }) => resource === "guest-vcpus")) return null;
  for (const change of chosen) {
    // What is so already is no change, and is not checked.
    if (shownChosen(vcpus, change) === wantedChosen(change)) continue;
    if (!mayChoose(change, maxVcpus)) return null;
    vcpus = afterChosen(vcpus, change);
  }
  const isRoom = Object.keys(threads).every((label) => !label.startsWith("vcpu-sched ") || Number(label.slice(11)) < maxVcpus);
  // DIMMs are on top of what the balloon leaves.
  memory = memoryAfter(memory, before.devices, devices, changes);
  const isMemory = memory - dimmsOf(devices) <= maxMemory && memory > dimmsOf(devices);
  const right = isRoom && isMemory && vcpus.every((vcpu) => vcpu < maxVcpus) && Object.keys(pins).every((vcpu) => Number(vcpu) < maxVcpus);
  return right
    ? { memory, maxMemory, vcpus, maxVcpus, pins: sorted(pins), emulator, threads, disks, period, devices, share, device }
    : null;
}

function sorted(pins: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(pins).sort());
}

function liveAfter(before: NonNullable<State["live"]>, changes: readonly Change[], all: string, fixed: State["config"]): State["live"] {
  const { pins } = fixed;
  const { answers } = before;
  let { memory, maxMemory, maxVcpus, emulator, threads, disks, period, devices, share, device } = before;
  const vcpus = vcpusAfter(before, changes);
  if (vcpus === null) return null;
  // A new vCPU gets its pin from the config before the change, or all CPUs.
  const masks: Record<string, string> = { ...before.masks };
  for (const vcpu of vcpus) masks[vcpu] ??= pins[vcpu] ?? all;
  threads = vcpuThreads(threads, [...new Set([...Object.keys(masks).map(Number), ...vcpus])], fixed.threads);
  for (const change of iothreadsFirst(changes, true)) {
    const moved = liveThreads(threads, change, all, fixed.threads);
    if (moved === null) return null;
    threads = moved;
    const changed = devicesAfter(devices, change);
    if (changed === null) return null;
    devices = changed;
    if (sharePart(change) !== null && share === null) return null;
    share = share && shareAfter(share, change);
    if (change.resource === "max-memory" && change.size / MIB !== maxMemory) return null;
    if (change.resource === "max-vcpus" && change.count !== maxVcpus) return null;
    if (change.resource === "emulator-pin") emulator = change.cpus === "all" ? all : change.cpus;
    disks = disksAfter(disks, change);
    if (change.resource === "disk-size" && change.size !== DISK_SIZE) return null;
    if (change.resource === "memory-period") period = change.seconds;
    if (change.resource === "device") device = change.words;
    if (change.resource !== "vcpu-pin") continue;
    // A vCPU that leaves in the same set is pinned before it leaves. A vCPU that is not there can't be pinned.
    if (masks[change.vcpu] === undefined) return null;
    masks[change.vcpu] = change.cpus === "all" ? all : change.cpus;
  }
  const offline = offlineAfter(before, vcpus, changes);
  if (offline === null) return null;
  const stay = Object.fromEntries(vcpus.map((vcpu) => [vcpu, masks[vcpu] ?? all]));
  threads = vcpuThreads(threads, vcpus, fixed.threads);
  memory = memoryAfter(memory, before.devices, devices, changes);
  return memory > maxMemory + dimmsOf(devices)
    ? null
    : { memory, maxMemory, maxVcpus, masks: stay, offline, answers, emulator, threads, disks, period, devices, share, device };
}

/** The vCPUs that the guest does not use after the changes; null if it can't be asked, or can't do that. */
function offlineAfter(
  { offline: before, answers }: NonNullable<State["live"]>,
  vcpus: readonly number[],
  changes: readonly Change[],
): readonly number[] | null {
  const offline = before.filter((vcpu) => vcpus.includes(vcpu));
  const wanted = changes.find((change) => change.resource === "guest-vcpus");
  if (wanted === undefined) return offline;
  return answers ? afterGuest(vcpus, offline, wanted.count) : null;
}

/** The vCPUs of the running machine after the changes; null if one of them must be refused. */
function vcpusAfter(before: NonNullable<State["live"]>, changes: readonly Change[]): readonly number[] | null {
  let vcpus = vcpusOf(before);
  for (const change of changes) {
    if (change.resource === "vcpus" && change.count > before.maxVcpus) return null;
    if (change.resource === "vcpus") vcpus = afterCount(vcpus, change.count);
    if (change.resource !== "vcpus-online" || shownChosen(vcpus, change) === wantedChosen(change)) continue;
    if (!mayChoose(change, before.maxVcpus)) return null;
    vcpus = afterChosen(vcpus, change);
  }
  return vcpus;
}
