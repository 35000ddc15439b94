import type { LaunchConfig } from "../../config/launch.ts";
import { checkWeight, USUAL_WEIGHT } from "../../config/quota.ts";
import { setWeight, weightLine } from "../../host/cgroup-write.ts";
import { readWeight } from "../../host/cgroup.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { readCpuGroup } from "../facts/read-cgroup.ts";
import { shellWord } from "../model/format.ts";
import { groupNow, groupReasons, ownGroup, shareAtStart, shareRow, untilItIs, withShare } from "./cpu-group.ts";
import { timeLeft } from "./pinning.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** What QEMU's control group weighs against those beside it when they want the CPUs too: 1 to 10000, usually 100. */
export interface CpuWeightChange {
  readonly resource: "cpu-weight";
  readonly weight: number;
}

/** Set the weight of QEMU's own control group. */
export interface CpuWeightStep extends Step {
  readonly kind: "cpu-weight";
  readonly weight: number;
  /** The weight before; null where it goes nowhere back. */
  readonly before: number | null;
}

/** It counts when the kernel's files, read back, have the weight. */
const weighing: StepKind<CpuWeightStep> = {
  kind: "cpu-weight",
  rank: 1,
  asksGuest: false,
  what: ({ weight }) => `give QEMU's cgroup the weight ${weight}`,
  sends: ({ weight }, facts) => lineOf(weight, facts),
  undoing: ({ before }, facts) => (before === null ? undefined : lineOf(before, facts)),

  begin: async ({ weight }, work) => {
    const { group, unit } = await groupNow(work.monitor.pid);
    await setWeight(group, unit, weight, timeLeft(work));
  },
  readBack: async ({ weight }, { monitor, deadline, signal }) => {
    const { group } = await groupNow(monitor.pid);
    await untilItIs("CPU weight", weight, () => readWeight(group), { by: deadline, signal });
    return { outcome: "done" };
  },
  inverse: ({ before }) => (before === null ? [] : [stepTo(before, null)]),
};

/** `setcpu --weight`: how much QEMU gets when others want the CPUs too. */
export const cpuWeight: ResourceKind<CpuWeightChange, { readonly cpu: { readonly weight: number | null } }> = {
  resource: "cpu-weight",
  row: 85,
  label: () => "cpu-weight",
  unit: "count",
  members: { weight: "number" },
  inFile: {
    path: ["cpu", "weight"],
    shape: "N",
    example: "200",
    changes: (value, place, complain) => {
      if (value === null || typeof value === "number") return [{ resource: "cpu-weight", weight: value ?? USUAL_WEIGHT }];
      complain(place, value, "a number, as 200, or null");
      return [];
    },
  },
  needsGuest: false,
  stepKinds: [weighing],
  reads: [readCpuGroup],

  check: ({ weight }) => checkWeight(weight),
  withValue: (change, value) => ({ ...change, weight: Number(value) }),
  wanted: ({ weight }) => weight,
  command: ({ weight }, name) => `setcpu ${shellWord(name)} --weight ${weight}`,

  inConfig: (_change, config) => weightOf(config),
  edits: ({ weight }) => [{ path: ["cpu", "weight"], value: inFile(weight) }],
  applied: ({ weight }, config) => withShare(config, { weight: inFile(weight) }),
  staticReasons: () => [],

  inLive: (_change, live) => liveWeight(live),
  needed: ({ weight }, { live }) => liveWeight(live) !== weight,
  liveReasons: (_change, { live }, { name }) => [...groupReasons(live, name), ...idle(live)],
  steps: ({ weight }, { live }) => [stepTo(weight, liveWeight(live))],

  rows: ({ config, live }) => {
    const wanted = config === null ? null : weightOf(config);
    return shareRow("cpu-weight", { wanted, actual: live === null ? null : liveWeight(live), usual: USUAL_WEIGHT }, live);
  },
  revert: ({ config, live }) => {
    const actual = liveWeight(live) ?? USUAL_WEIGHT;
    return weightOf(config) === actual ? [] : [{ resource: "cpu-weight", weight: weightOf(config) }];
  },
  persist: ({ config, live }) => {
    const actual = liveWeight(live);
    return actual === null || weightOf(config) === actual ? [] : [{ resource: "cpu-weight", weight: actual }];
  },

  atStart: async (config, live) => {
    const weight = weightOf(config);
    if (weight === USUAL_WEIGHT) return;
    await shareAtStart(live, { name: config.name, asks: `cpu.weight of the config asks for ${weight}` }, async ({ group, unit }, by) => {
      await setWeight(group, unit, weight, by.timeout);
      await untilItIs("CPU weight", weight, () => readWeight(group), { by });
    });
  },
};

function stepTo(weight: number, before: number | null): CpuWeightStep {
  return { kind: "cpu-weight", weight, before };
}

function weightOf({ cpu }: LaunchConfig): number {
  return cpu?.weight ?? USUAL_WEIGHT;
}

function inFile(weight: number): number | undefined {
  return weight === USUAL_WEIGHT ? undefined : weight;
}

/** An idle group has none. */
function liveWeight(live: Live): number | null {
  return ownGroup(live)?.weight || null;
}

function idle(live: Live): readonly Reason[] {
  const own = ownGroup(live);
  return when(own?.weight === 0, () => ({
    reason: `its cgroup, ${own?.group?.path}, is idle: it gets only the CPU time that nobody else wants (cpu.idle)`,
    instead:
      own?.unit == null
        ? `echo 0 > ${own?.group?.folder}/cpu.idle first`
        : `systemctl set-property --runtime ${shellWord(own.unit.name)} CPUWeight=${USUAL_WEIGHT} first`,
  }));
}

function lineOf(weight: number, { live }: Facts): string {
  const { group = null, unit = null } = live?.cpuGroup ?? {};
  return group === null ? `the weight of its cgroup: ${weight}` : weightLine(group, unit, weight);
}
