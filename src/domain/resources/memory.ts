import type { LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { UsageError } from "../../errors.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { memoryNow } from "../facts/live-memory.ts";
import { shellWord } from "../model/format.ts";
import { isShrink, needReasons } from "./memory-need.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";

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
export const memory: ResourceKind<MemoryChange> = {
  resource: "memory",
  row: 10,
  label: () => "memory",
  format: (value) => (typeof value === "number" ? formatSize(value) : value),
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
