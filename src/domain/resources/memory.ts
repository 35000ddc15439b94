import type { LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { HostError, UsageError } from "../../errors.ts";
import { setPeriod, STATS_INTERVAL } from "../facts/balloon-period.ts";
import type { Facts } from "../facts/facts.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { type LiveMemory, memoryNow, startMemory } from "../facts/live-memory.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { runStateOf } from "../model/run-state.ts";
import { balloon } from "./balloon.ts";
import { sizeIn } from "./file-part.ts";
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

/** Checks a size in bytes: whole pages, and something. `what` names it in the error. */
export function checkSize(what: string, size: number, unit: number, expected: string): void {
  if (Number.isSafeInteger(size) && size > 0 && size % unit === 0) return;
  throw new UsageError(`${what} ${size} bytes: not ${expected}`, { value: size, expected });
}

/** Whether a config's command line has a balloon, as far as its words tell (a file named by -readconfig may have one too). */
export function hasBalloon(config: LaunchConfig): boolean {
  return config.args.some((word) => /virtio-balloon/.test(word) || /^--?readconfig$/.test(word));
}

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
  inConfig: (_change, config) => config.memory.current,
  edits: (change) => [{ path: ["memory", "current"], value: formatSize(change.size) }],
  applied: (change, config) => ({ ...config, memory: { ...config.memory, current: change.size } }),
  inLive: (_change, live) => memoryNow(live.memory),
  needed: (change, { live, asked }) =>
    memoryNow(live.memory) !== change.size ||
    (asked.balloon !== undefined && asked.balloon !== change.size) ||
    asked.balloonOr !== undefined,
  command: (change, name) => `setmem ${shellWord(name)} ${formatSize(change.size)}`,

  staticReasons: ({ size }, { after }, { name }) => [
    ...when(size > after.memory.max, () => ({
      reason: `memory ${formatSize(size)} is above memory.max ${formatSize(after.memory.max)} of the config`,
      instead: `qmpctl setmaxmem ${shellWord(name)} ${formatSize(size)} --static, then set the memory`,
    })),
    ...when(after.memory.min !== undefined && size < after.memory.min, () => ({
      reason: `memory ${formatSize(size)} is below memory.min ${formatSize(after.memory.min ?? 0)} of the config`,
      instead: "lower memory.min in the config first",
    })),
    ...when(size < after.memory.max && !hasBalloon(after), () => ({
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
        config: config?.memory.current ?? null,
        live: live === null ? null : memoryNow(live.memory),
        guest,
        why: whyMemory(facts),
        ...(live?.host === undefined ? {} : { host: live.host.resident }),
        ...(live === null || guest === null ? {} : { guestAge: ageOf(live, live.period ?? null) }),
      },
    ];
  },

  revert: ({ config, live }) => {
    const possible = live.memory.actual !== null && config.memory.current <= live.memory.size;
    return possible ? [{ resource: "memory", size: hasAll(config, live.memory) ? live.memory.size : config.memory.current }] : [];
  },

  // Of DIMMs besides, the next start has those that args bring: all stays all, and no start has more than its own.
  persist: ({ live: { memory } }) => {
    const [start, now] = [startMemory(memory), memoryNow(memory)];
    return [{ resource: "memory", size: now === memory.size ? start : Math.min(now, start) }];
  },

  // With what memory-period.ts has in the config: that needs nothing read of the machine.
  atStart: async ({ memory: { current, max, period = STATS_INTERVAL } }, { memory: live }, session) => {
    if (live.balloon !== null) await setPeriod(session, live.balloon, period);
    if (current === max) return;
    if (live.actual === null)
      throw new HostError(
        `memory.current ${formatSize(current)} is below memory.max ${formatSize(max)}, which needs a balloon device: add ${BALLOON_ARGS} to args`,
      );
    // Kept by QEMU, and honoured when the guest's driver loads.
    await session.execute("balloon", { value: current });
  },

  liveReasons: (change, facts, { force }) => (facts.live.memory.actual === null ? [noBalloon()] : liveLimits(change.size, facts, force)),

  steps: ({ size }, { live, asked }) => {
    const actual = memoryNow(live.memory);
    return [{ kind: "balloon", target: size, before: asked.balloon ?? actual, actual }];
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
  const { live, config } = facts;
  const least = config?.memory.min ?? 0;
  return [
    ...leavingReasons(facts, force),
    ...when(size > live.memory.size, () => aboveAll(size, facts)),
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

/**
 * Whether config and machine are of one mind: by the number, or both with all of the memory that there is: DIMMs come on top, and are no
 * business of the config's sizes.
 */
function hasAll({ memory }: LaunchConfig, live: LiveMemory): boolean {
  return memory.current === memory.max && memory.max === startMemory(live);
}

function whyMemory({ config, live, asked }: Facts): string | null {
  if (live === null) return null;
  const actual = memoryNow(live.memory);
  if (asked.balloonOr !== undefined)
    return `may wait for the guest: whether it was asked to go to ${formatSize(asked.balloonOr)}, as an interrupted change wanted, can't be known`;
  if (asked.balloon !== undefined && asked.balloon !== actual) return `waits for the guest: asked to go to ${formatSize(asked.balloon)}`;
  if (config === null || config.memory.current === actual || (hasAll(config, live.memory) && actual === live.memory.size)) return null;
  if (live.memory.actual === null || config.memory.current > live.memory.size) return "waits for the next start";
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
