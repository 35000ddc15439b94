import { limitsInArgs } from "../../config/args-limits.ts";
import {
  type DiskLimits,
  formatLimits,
  isLimits,
  limitsExpected,
  limitsFault,
  limitsGiven,
  limitsOf,
  parseLimits,
} from "../../config/disk-limits.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { HostError, UsageError } from "../../errors.ts";
import { disksOf, readDisks } from "../facts/disks.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { diskCalled, diskInArgs } from "./disk-names.ts";
import { groupReasons, liveReasons, staticReasons } from "./disk-throttle-reasons.ts";
import { limitsShown, limitsStep, setLimits, throttling } from "./disk-throttling.ts";
import type { Complain, ResourceKind } from "./resource.ts";
import { type BothFacts, CHANGED, type RowFacts } from "./row.ts";

/**
 * What a disk may do in a second: `limits` is one text, as `iops=100,bps=1048576`, or `none`. They replace those that it has. With
 * `group=NAME` in it, all disks of that group share them.
 */
export interface DiskThrottleChange {
  readonly resource: "disk-throttle";
  /** The name of the disk, as `domain.disks()` shows it. */
  readonly disk: string;
  readonly limits: string;
}

/** `blkdeviotune`: what a disk may do in a second. */
export const diskThrottle: ResourceKind<
  DiskThrottleChange,
  { readonly disks: { readonly throttle: Readonly<Record<string, DiskLimits | null>> } }
> = {
  resource: "disk-throttle",
  row: 200,
  label: ({ disk }) => `disk-throttle ${disk}`,
  unit: "text",
  members: { disk: "text", limits: "text" },
  inFile: {
    path: ["disks", "throttle"],
    shape: '{"DISK": {"iops": COUNT, "bps": SIZE, …}}',
    example: '{"disk0": {"iops": 100}}',
    changes: limitsIn,
  },
  needsGuest: false,
  stepKinds: [throttling],

  check: ({ disk, limits }) => {
    if (disk === "") throw new UsageError("disk: its name is empty", { value: disk, expected: "the name of a disk" });
    const fault = limitsFault(parseLimits(limits));
    if (fault !== null) throw new UsageError(`limits ${limits}: ${fault}`, { value: limits, expected: "limits that QEMU takes" });
  },
  withValue: (change, value) => ({ ...change, limits: String(value) }),
  wanted: (change) => wantedText(change),
  command: ({ disk, limits }, name) => `blkdeviotune ${shellWord(name)} ${shellWord(disk)} ${shellWord(limits)}`,

  inConfig: ({ disk }, config) => formatLimits(configLimits(disk, config)),
  edits: (change, config) =>
    Object.entries(writtenBy(change, config)).map(([disk, limits]) => ({
      path: ["disks", "throttle", disk],
      value: formatLimits(limits) === "none" ? undefined : limitsGiven(limits),
    })),
  applied: (change, config) => {
    const throttle = { ...config.disks?.throttle, ...writtenBy(change, config) };
    const left = Object.entries(throttle).filter(([, limits]) => formatLimits(limits) !== "none");
    return { ...config, disks: { ...config.disks, throttle: Object.fromEntries(left) } };
  },
  staticReasons: (change, facts, options) => [
    ...staticReasons(change.disk, wantedText(change), facts),
    ...groupReasons(change.disk, wantedText(change), facts.config?.disks?.throttle ?? {}, options),
  ],

  reads: [readDisks],
  inLive: ({ disk }, live) => limitsShown(diskCalled(disk, live.disks)),
  needed: (change, { live }) => limitsShown(diskCalled(change.disk, live.disks)) !== wantedText(change),
  liveReasons: (change, facts, options) => liveReasons(change.disk, wantedText(change), facts, options),
  steps: (change, { live }) => {
    const disk = diskCalled(change.disk, live.disks);
    return disk === undefined ? [] : [limitsStep(disk, wantedText(change), live.disks ?? [])];
  },

  rows: (facts) =>
    namesIn(facts).flatMap((disk) => {
      const [config, live] = [configText(disk, facts), liveText(disk, facts)];
      const isLimited = [config, live].some((each) => each !== null && each !== "none");
      const why = config === null || facts.live === null || config === live ? null : live === null ? whyAbsent(disk, facts) : CHANGED;
      return isLimited ? [{ resource: `disk-throttle ${disk}`, config, live, guest: null, why }] : [];
    }),
  revert: (facts) => differing(facts).map(([disk, config]): DiskThrottleChange => ({ resource: "disk-throttle", disk, limits: config })),
  persist: (facts) => differing(facts).map(([disk, , live]): DiskThrottleChange => ({ resource: "disk-throttle", disk, limits: live })),

  atStart: async ({ disks }, _live, session) => {
    const wanted = Object.entries(disks?.throttle ?? {});
    if (wanted.length === 0) return;
    const before = await disksOf(session);
    for (const [name, limits] of wanted) {
      const disk = diskCalled(name, before);
      if (disk?.medium == null)
        throw new HostError(`disk ${name}: ${disk === undefined ? "QEMU has no such disk" : "it is empty"}, so it can't be limited`);
      await setLimits(limitsStep(disk, formatLimits(limits), before), session);
    }
    const after = await disksOf(session);
    for (const [name, limits] of wanted) {
      const found = limitsShown(diskCalled(name, after));
      if (found !== textFor(name, limits))
        throw new HostError(`QEMU limits disk ${name} to ${found}, the config says ${formatLimits(limits)}`);
    }
  },
};

function wantedText({ disk, limits }: DiskThrottleChange): string {
  return textFor(disk, parseLimits(limits));
}

/** A group of the disk's own name is no group: it is the one that a disk has by itself. */
function textFor(disk: string, { group, ...limits }: DiskLimits): string {
  return formatLimits(group === undefined || group === disk ? limits : { ...limits, group });
}

/** The limits that a disk has in a config: those of its key, or those that words of args give it. */
export function configLimits(name: string, config: LaunchConfig): DiskLimits {
  const all = config.disks?.throttle ?? {};
  const inArgs = diskInArgs(name, config.args);
  const { group, ...limits } = Object.hasOwn(all, name)
    ? (all[name] ?? {})
    : inArgs === undefined
      ? {}
      : (limitsInArgs(inArgs, config.args)?.limits ?? {});
  return group === undefined || group === name ? limits : { ...limits, group };
}

/** The limits that a change writes: those of the disk, and of all that share a group with it in the config. */
function writtenBy(change: DiskThrottleChange, config: LaunchConfig): Readonly<Record<string, DiskLimits>> {
  const limits = parseLimits(wantedText(change));
  const { group } = limits;
  const others =
    group === undefined ? [] : Object.keys(config.disks?.throttle ?? {}).filter((disk) => configLimits(disk, config).group === group);
  return Object.fromEntries([...others, change.disk].map((disk) => [disk, limits]));
}

function namesIn({ config, live }: RowFacts): readonly string[] {
  const ofLive = (live?.disks ?? []).filter(({ medium }) => medium !== null).map(({ name }) => name);
  return [...new Set([...ofLive, ...Object.keys(config?.disks?.throttle ?? {})])];
}

function configText(disk: string, { config }: RowFacts): string | null {
  return config === null ? null : formatLimits(configLimits(disk, config));
}

function liveText(disk: string, { live }: RowFacts): string | null {
  return live === null ? null : limitsShown(diskCalled(disk, live.disks));
}

function whyAbsent(disk: string, { live }: { readonly live: Live | null }): string {
  return diskCalled(disk, live?.disks) === undefined ? "the running machine has no such disk" : "there is nothing in it now";
}

/** The disks whose limits differ between config and machine, where both are known. */
function differing(facts: BothFacts): readonly (readonly [disk: string, config: string, live: string])[] {
  return namesIn(facts).flatMap((disk) => {
    const [config, live] = [configText(disk, facts), liveText(disk, facts)];
    return config === null || live === null || config === live ? [] : [[disk, config, live] as const];
  });
}

/** The limits of an allocation file; null means none. */
function limitsIn(value: unknown, place: string, complain: Complain): readonly DiskThrottleChange[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"disk0": {"iops": 100}}');
    return [];
  }
  return Object.entries(value).flatMap(([disk, limits]: readonly [string, unknown]): readonly DiskThrottleChange[] => {
    if (limits !== null && !isLimits(limits)) {
      complain(`${place}.${disk}`, limits, limitsExpected(limits));
      return [];
    }
    return [{ resource: "disk-throttle", disk, limits: limits === null ? "none" : formatLimits(limitsOf(limits)) }];
  });
}
