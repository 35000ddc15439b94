import type { LaunchConfig } from "../config/launch.ts";
import { formatSize } from "../config/size.ts";
import { UsageError } from "../errors.ts";
import type { Change } from "./change.ts";
import type { GuestMemory } from "./live-memory.ts";
import { type LiveFacts, type Reason, type ResourceKind, when } from "./resource.ts";
import { shellWord } from "./wording.ts";

type MemoryChange = Extract<Change, { resource: "memory" }>;

/** The balloon moves whole pages of 4 KiB. */
const PAGE = 4096;
/** The guest's word on its memory counts as fresh for this many seconds; at start it is asked to speak every 5. */
const FRESH = 15;
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
  check: (change) => checkSize("memory", change.size, PAGE, "a positive multiple of 4 KiB"),
  wanted: (change) => change.size,
  inConfig: (_change, config) => config.memory.current,
  edits: (change) => [{ path: ["memory", "current"], value: formatSize(change.size) }],
  applied: (change, config) => ({ ...config, memory: { ...config.memory, current: change.size } }),
  inLive: (_change, live) => live.memory.actual ?? live.memory.size,
  needed: (change, { live, asked }) =>
    (live.memory.actual ?? live.memory.size) !== change.size || (asked.balloon !== undefined && asked.balloon !== change.size) || asked.balloonOr !== undefined,
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
    const actual = live.memory.actual ?? live.memory.size;
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
 * What the guest can't give back: what is not available of its own count, or, as the kernel leaves itself out of that count,
 * of what the balloon leaves it.
 */
function usedBy({ total, available }: GuestMemory, actual: number): number {
  return Math.max(total, actual) - available;
}

/** A balloon that moves while the guest is letting go of memory can make it panic (measured). From the guest's first word on, QMP shows that it is at it. */
function leavingReasons({ live: { leavingMemory = [] } }: LiveFacts, force: boolean): readonly Reason[] {
  return when(!force && leavingMemory.length > 0, () => ({
    reason: `the guest is letting go of memory (${leavingMemory.join(", ")}), and a balloon that moves meanwhile can make it panic`,
    instead: "wait until it has, or --force",
  }));
}

function liveLimits(size: number, facts: LiveFacts, force: boolean): readonly Reason[] {
  const { live, config, now } = facts;
  const { guest } = live.memory;
  const used = guest !== null && now - guest.at <= FRESH ? usedBy(guest, live.memory.actual ?? live.memory.size) : 0;
  const least = config?.memory.min ?? 0;
  return [
    ...leavingReasons(facts, force),
    ...when(size > live.memory.size, () => ({
      reason: `memory ${formatSize(size)} is above the ${formatSize(live.memory.size)} that the machine was started with`,
      instead: "raise it with setmaxmem --static, and restart it",
    })),
    ...when(!force && size < used, () => ({
      reason: `memory ${formatSize(size)} is below the ${formatSize(wholeMegabytes(used))} that the guest says it uses, and could kill it`,
      instead: `at least ${formatSize(wholeMegabytes(used))}, or --force`,
    })),
    ...when(!force && size < least, () => ({
      reason: `memory ${formatSize(size)} is below memory.min ${formatSize(least)} of the config`,
      instead: `at least ${formatSize(least)}, or --force`,
    })),
  ];
}

function wholeMegabytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20) * 2 ** 20;
}
