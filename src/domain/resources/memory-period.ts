import type { LaunchConfig } from "../../config/launch.ts";
import { HostError, UsageError } from "../../errors.ts";
import { LONGEST_PERIOD, periodOf, readPeriod, setPeriod, STATS_INTERVAL } from "../facts/balloon-period.ts";
import type { Facts } from "../facts/facts.ts";
import { shellWord } from "../model/format.ts";
import { countIn } from "./file-part.ts";
import { hasBalloon } from "./memory-checks.ts";
import { type ResourceKind, when } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** How often QEMU asks the guest for its figures of memory, in seconds of the machine's running time; 0: never. */
export interface MemoryPeriodChange {
  readonly resource: "memory-period";
  readonly seconds: number;
}

/** Have QEMU ask the guest so often. */
interface MemoryPeriodStep extends Step {
  readonly kind: "memory-period";
  /** The balloon's QOM path. */
  readonly balloon: string;
  readonly seconds: number;
  readonly before: number;
}

const NO_BALLOON = {
  reason: "the machine has no balloon device, so its guest has no figures to tell",
  instead: `add "-device", "virtio-balloon-pci,id=balloon0" to the config's args and restart it`,
};

const asking: StepKind<MemoryPeriodStep> = {
  kind: "memory-period",
  rank: 1,
  asksGuest: false,
  what: ({ seconds }) => (seconds === 0 ? "ask the guest no more for its figures" : `ask the guest for its figures every ${seconds} s`),
  sends: ({ balloon, seconds }) => line(balloon, seconds),
  undoing: ({ balloon, before }) => line(balloon, before),
  begin: async ({ balloon, seconds }, { monitor, deadline, signal }) => {
    await monitor.ask((session) => setPeriod(session, balloon, seconds), { by: deadline, signal });
  },
  readBack: async ({ balloon, seconds }, { monitor, deadline, signal }) => {
    const now = await monitor.ask((session) => periodOf(session, balloon), { by: deadline, signal });
    if (now !== seconds) throw new HostError(`the balloon was told to ask every ${seconds} s, and asks every ${now ?? "?"} s`);
    return { outcome: "done" };
  },
  inverse: (step, now) => (now.period === step.before ? [] : [{ ...step, seconds: step.before, before: step.seconds }]),
  // That nobody is to be asked does not show: others stop the asking for a moment, too.
  notedAfter: (asked, { step, outcome }) => ({ ...asked, period: outcome === "undone" ? step.before : step.seconds }),
};

function line(path: string, value: number): string {
  return `qom-set ${JSON.stringify({ path, property: "guest-stats-polling-interval", value })}`;
}

/** `memstat --period`: how often QEMU asks the guest for its figures of memory. */
export const memoryPeriod: ResourceKind<MemoryPeriodChange, { readonly memory: { readonly period: number } }> = {
  resource: "memory-period",
  row: 15,
  label: () => "memory-period",
  unit: "seconds",
  members: { seconds: "number" },
  inFile: {
    path: ["memory", "period"],
    shape: "SECONDS",
    example: "10",
    changes: (value, place, complain) => {
      const seconds = countIn(value, place, complain);
      return seconds === undefined ? [] : [{ resource: "memory-period", seconds }];
    },
  },
  needsGuest: false,
  stepKinds: [asking],
  reads: [readPeriod],

  check: ({ seconds }) => {
    if (Number.isInteger(seconds) && seconds >= 0 && seconds <= LONGEST_PERIOD) return;
    const expected = `whole seconds, from 0 (never) to ${LONGEST_PERIOD}`;
    throw new UsageError(`memory period ${seconds}: not ${expected}`, { value: seconds, expected });
  },
  withValue: (change, value) => ({ ...change, seconds: Number(value) }),
  wanted: ({ seconds }) => seconds,
  command: ({ seconds }, name) => `memstat ${shellWord(name)} --period ${seconds}`,

  inConfig: (_change, config) => inConfig(config),
  edits: ({ seconds }) => [{ path: ["memory", "period"], value: seconds }],
  applied: ({ seconds }, config) => ({ ...config, memory: { ...config.memory, period: seconds } }),
  staticReasons: (_change, { after }) =>
    when(!hasBalloon(after), () => ({ ...NO_BALLOON, reason: NO_BALLOON.reason.replace("machine", "config") })),

  inLive: (_change, live) => live.period ?? null,
  needed: ({ seconds }, { live }) => live.period !== seconds,
  liveReasons: (_change, { live }) => when(live.memory.balloon === null || live.period === undefined, () => NO_BALLOON),
  steps: ({ seconds }, { live }) =>
    live.memory.balloon === null || live.period === undefined
      ? []
      : [{ kind: "memory-period", balloon: live.memory.balloon, seconds, before: live.period }],

  rows: (facts) => {
    const { config, live } = facts;
    if (!isMeant(facts)) return [];
    const [there, now] = [config === null ? null : inConfig(config), live?.period ?? null];
    return [
      {
        resource: "memory-period",
        config: there,
        live: now,
        guest: null,
        why: there === null || now === null || there === now ? null : CHANGED,
      },
    ];
  },
  revert: (facts) => {
    const [there, now] = [inConfig(facts.config), facts.live.period ?? null];
    return !isMeant(facts) || there === null || now === null || there === now ? [] : [{ resource: "memory-period", seconds: there }];
  },
  persist: (facts) => {
    const { period } = facts.live;
    return !isMeant(facts) || period === undefined ? [] : [{ resource: "memory-period", seconds: period }];
  },
};

/** What a start by us makes of it: memory.ts does it. */
function inConfig(config: LaunchConfig): number | null {
  return config.memory.period ?? (hasBalloon(config) ? STATS_INTERVAL : null);
}

/** Whether somebody has meant it. The usual is nothing to speak of, nor is it that nobody is asked on a machine that we did not start. */
function isMeant({ config, live, asked }: Facts): boolean {
  const period = live?.period;
  if (config?.memory.period !== undefined || (period === 0 && asked.period === 0)) return true;
  return period !== undefined && period !== 0 && period !== STATS_INTERVAL;
}
