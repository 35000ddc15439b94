import type { LaunchConfig } from "../../config/launch.ts";
import { dimmMemory, mayHaveMore, plannedMemory } from "../../config/memory-in-args.ts";
import { formatSize } from "../../config/size.ts";
import { HostError } from "../../errors.ts";
import { setPeriod, STATS_INTERVAL } from "../facts/balloon-period.ts";
import type { Facts } from "../facts/facts.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { type LiveMemory, memoryNow, startMemory } from "../facts/live-memory.ts";
import type { Live } from "../facts/live.ts";
import { dimmsIn } from "../facts/memory-devices.ts";
import { shellWord } from "../model/format.ts";
import { runStateOf } from "../model/run-state.ts";
import { balloon } from "./balloon.ts";
import { dimmsToCome } from "./dimm-change.ts";
import { dimmsToRevert } from "./dimm.ts";
import { sizeIn } from "./file-part.ts";
import { checkSize, hasBalloon } from "./memory-checks.ts";
import { isShrink, needReasons } from "./memory-need.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";
import { CHANGED } from "./row.ts";

/** How much memory the guest is to have, in bytes. */
export interface MemoryChange {
  readonly resource: "memory";
  readonly size: number;
}

/** The balloon moves whole pages of 4 KiB. */
const PAGE = 4096;
/** What to add to a config whose guest is to give memory back. */
const BALLOON_ARGS = `"-device", "virtio-balloon-pci,id=balloon0"`;

/** `setmem`: the guest's memory, through the balloon. */
export const memory: ResourceKind<MemoryChange, { readonly memory: { readonly current: string } }> = {
  resource: "memory",
  row: 10,
  label: () => "memory",
  unit: "bytes",
  members: { size: "number" },
  inFile: {
    path: ["memory", "current"],
    shape: "SIZE",
    example: '"512M"',
    changes: (value, place, complain) => {
      const size = sizeIn(value, place, complain);
      return size === undefined ? [] : [{ resource: "memory", size }];
    },
  },
  needsGuest: true,
  guestMoves: true,
  movesHostMemory: true,
  stepKinds: [balloon],
  withValue: (change, value) => ({ ...change, size: Number(value) }),
  check: (change) => checkSize("memory", change.size, PAGE, "a positive multiple of 4 KiB"),
  wanted: (change) => change.size,
  inConfig: (_change, config) => plannedMemory(config),
  edits: (change, config) => [{ path: ["memory", "current"], value: formatSize(change.size - dimmMemory(config.args)) }],
  applied: (change, config) => ({ ...config, memory: { ...config.memory, current: change.size - dimmMemory(config.args) } }),
  inLive: (_change, live) => memoryNow(live.memory),
  needed: (change, { live, asked, dimmsToCome = 0 }) =>
    memoryNow(live.memory) + dimmsToCome !== change.size ||
    (asked.balloon !== undefined && asked.balloon !== change.size) ||
    asked.balloonOr !== undefined,
  command: (change, name) => `setmem ${shellWord(name)} ${formatSize(change.size)}`,

  staticReasons: ({ size }, { after }, { name }) => [
    ...when(size <= dimmMemory(after.args), () => ({
      reason: `memory ${formatSize(size)} is not above the ${formatSize(dimmMemory(after.args))} of DIMMs in args, which a start leaves to the guest`,
      instead: `more than that, or qmpctl unplugmem ${shellWord(name)} ID --static`,
    })),
    ...when(size > after.memory.max + dimmMemory(after.args), () => ({
      reason: `memory ${formatSize(size)} is above memory.max ${formatSize(after.memory.max)} of the config${besides(after)}`,
      instead: `qmpctl setmaxmem ${shellWord(name)} ${formatSize(size)} --static, then set the memory`,
    })),
    ...when(after.memory.min !== undefined && size < after.memory.min, () => ({
      reason: `memory ${formatSize(size)} is below memory.min ${formatSize(after.memory.min ?? 0)} of the config`,
      instead: "lower memory.min in the config first",
    })),
    ...when(size < after.memory.max + dimmMemory(after.args) && !hasBalloon(after), () => ({
      reason: `memory ${formatSize(size)} below memory.max ${formatSize(after.memory.max)} needs a balloon device, and the config has none`,
      instead: `add ${BALLOON_ARGS} to its args`,
    })),
  ],

  back: (_change, { live, asked }) => asked.balloon ?? memoryNow(live.memory),

  rows: (facts) => {
    const { config, live } = facts;
    const guest = live?.memory.guest?.total ?? null;
    return [
      {
        resource: "memory",
        config: config === null ? null : plannedMemory(config),
        live: live === null ? null : memoryNow(live.memory),
        guest,
        why: whyMemory(facts),
        ...(live?.host === undefined ? {} : { host: live.host.resident }),
        ...(live === null || guest === null ? {} : { guestAge: ageOf(live, live.period ?? null) }),
      },
    ];
  },

  // The same for DIMMs that come or go with the same revert: those are its own part of it.
  revert: ({ config, live }) => {
    const all = live.memory.size + dimmsToCome(dimmsToRevert({ config, live }), live);
    const size = hasSameStart(config, live.memory) ? all - takenBy(config) : plannedMemory(config);
    const isMoved = memoryNow(live.memory) + (all - live.memory.size) !== size;
    const isPossible = live.memory.actual !== null && size <= all && !(isMoved && all < live.memory.size && !live.running);
    return isPossible ? [{ resource: "memory", size }] : [];
  },

  // As much as the balloon has taken it takes at the next start too, of whatever DIMMs args then bring.
  persist: ({ config, live: { memory } }) => {
    const left = startMemory(memory) - (memory.size - memoryNow(memory));
    return left > 0 ? [{ resource: "memory", size: left + persistedDimms(config, memory) }] : [];
  },

  // With what memory-period.ts has in the config: that needs nothing read of the machine.
  atStart: async (config, { memory: live }, session) => {
    const { current, max, period = STATS_INTERVAL } = config.memory;
    if (live.balloon !== null) await setPeriod(session, live.balloon, period);
    if (current === max) return;
    if (live.actual === null)
      throw new HostError(
        `memory.current ${formatSize(current)} is below memory.max ${formatSize(max)}, which needs a balloon device: add ${BALLOON_ARGS} to args`,
      );
    // Kept by QEMU, and honoured when the guest's driver loads.
    await session.execute("balloon", { value: plannedMemory(config) });
  },

  liveReasons: (change, facts, { force }) => (facts.live.memory.actual === null ? [noBalloon()] : liveLimits(change.size, facts, force)),

  steps: ({ size }, { live, asked, dimmsToGo = [] }) => {
    const actual = memoryNow(live.memory);
    const after = dimmsToGo.length === 0 ? {} : { after: dimmsToGo };
    return [{ kind: "balloon", target: size, before: asked.balloon ?? actual, actual, ...after }];
  },
};

function noBalloon(): Reason {
  return {
    reason: "the machine has no balloon device, so its memory can't change while it runs",
    instead: `add ${BALLOON_ARGS} to the config's args and restart it`,
  };
}

/**
 * A balloon that moves while the guest is letting go of memory can make it panic (measured). From the guest's first word on, QMP shows that
 * it is at it.
 */
function leavingReasons({ live: { leavingMemory = [] } }: LiveFacts, force: boolean): readonly Reason[] {
  return when(!force && leavingMemory.length > 0, () => ({
    reason: `the guest is letting go of memory (${leavingMemory.join(", ")}), and a balloon that moves meanwhile can make it panic`,
    instead: "wait until it has, or --force",
  }));
}

function liveLimits(size: number, facts: LiveFacts, force: boolean): readonly Reason[] {
  const { live, config, dimmsToCome = 0, dimmsToGo = [] } = facts;
  const least = config?.memory.min ?? 0;
  return [
    ...leavingReasons(facts, force),
    ...when(!force && dimmsToGo.length > 0 && !live.running, () => ({
      reason: `DIMM ${dimmsToGo.join(", ")} leaves with the same change, and a balloon that moves meanwhile can make the guest panic`,
      instead: "one after the other, when the guest runs: first the DIMM, then the memory",
    })),
    ...when(size > live.memory.size + dimmsToCome, () => aboveAll(size, facts)),
    ...(force || !isShrink(size, facts) ? [] : needReasons(size, facts)),
    ...when(!force && size < least, () => ({
      reason: `memory ${formatSize(size)} is below memory.min ${formatSize(least)} of the config`,
      instead: `at least ${formatSize(least)}, or --force`,
    })),
  ];
}

/** The balloon gives back what it took, and no more. */
function aboveAll(
  size: number,
  {
    live: {
      memory: { size: all, dimms = 0, virtioMem = 0 },
    },
  }: LiveFacts,
): Reason {
  const plugged = dimms > 0 ? `, DIMMs of ${formatSize(dimms)} among it` : "";
  const beside = virtioMem > 0 ? ` (the ${formatSize(virtioMem)} of virtio-mem are beside it, and change by its requested-size)` : "";
  return {
    reason: `memory ${formatSize(size)} is above the ${formatSize(all)} that the machine was started with${plugged}${beside}`,
    instead: "raise it with setmaxmem --static, and restart it",
  };
}

/** Whether the config starts with as much as the machine did: then what the balloon took of either can be compared. */
function hasSameStart({ memory }: LaunchConfig, live: LiveMemory): boolean {
  return memory.max === startMemory(live);
}

/** What the balloon takes of a machine that starts. */
function takenBy({ memory: { max, current } }: LaunchConfig): number {
  return max - current;
}

/** The DIMMs of `args` once `persist` has written them. */
function persistedDimms(config: LaunchConfig, live: LiveMemory): number {
  return mayHaveMore(config.args) ? dimmMemory(config.args) : dimmsIn(live.devices).reduce((sum, { size }) => sum + size, 0);
}

function besides({ args }: LaunchConfig): string {
  return dimmMemory(args) === 0 ? "" : ` and the ${formatSize(dimmMemory(args))} of DIMMs in its args`;
}

function whyMemory({ config, live, asked }: Facts): string | null {
  if (live === null) return null;
  const actual = memoryNow(live.memory);
  if (asked.balloonOr !== undefined)
    return `may wait for the guest: whether it was asked to go to ${formatSize(asked.balloonOr)}, as an interrupted change wanted, can't be known`;
  if (asked.balloon !== undefined && asked.balloon !== actual) return `waits for the guest: asked to go to ${formatSize(asked.balloon)}`;
  if (config === null || plannedMemory(config) === actual) return null;
  // DIMMs come on top, and have rows of their own.
  if (hasSameStart(config, live.memory) && live.memory.size - actual === takenBy(config)) return null;
  if (live.memory.actual === null || plannedMemory(config) > live.memory.size) return "waits for the next start";
  return CHANGED;
}

/**
 * How it came to be known, and no age: QEMU asks by the time that the machine runs, so what was said before a pause, or by a guest that
 * hangs since, can be of any age, and
 * no clock tells (measured: 20 s after 14 s of suspend).
 */
export function ageOf({ running, status }: Live, every: number | null): string {
  if (!running) return `from before it ${runStateOf(status).is.replace(/^is /, "was ")}`;
  return every !== null && every > 0 ? `asked every ${every} s` : "of an unknown age: QEMU does not ask the guest";
}
