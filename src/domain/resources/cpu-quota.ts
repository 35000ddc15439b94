import type { LaunchConfig } from "../../config/launch.ts";
import { formatQuota, NO_QUOTA, parseQuota } from "../../config/quota.ts";
import { percentOf, quotaLine, setQuota } from "../../host/cgroup-write.ts";
import { readQuota } from "../../host/cgroup.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { readCpuGroup } from "../facts/read-cgroup.ts";
import { shellWord } from "../model/format.ts";
import { groupNow, groupReasons, ownGroup, shareAtStart, shareRow, starvation, untilItIs, withShare } from "./cpu-group.ts";
import { timeLeft } from "./pinning.ts";
import type { ResourceKind } from "./resource.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** How much CPU time QEMU with all of its threads may use: in percent of one CPU, as `150%`, or `none`. */
export interface CpuQuotaChange {
  readonly resource: "cpu-quota";
  readonly quota: string;
}

/** Limit the CPU time of QEMU's own control group. */
export interface CpuQuotaStep extends Step {
  readonly kind: "cpu-quota";
  readonly quota: string;
  /** The quota before; null where it goes nowhere back. */
  readonly before: string | null;
}

/** It counts when the kernel's files, read back, have the quota. */
const limiting: StepKind<CpuQuotaStep> = {
  kind: "cpu-quota",
  rank: 1,
  asksGuest: false,
  what: ({ quota }) => (quota === NO_QUOTA ? "let QEMU use all CPU time that it can get" : `limit QEMU's CPU time to ${quota} of one CPU`),
  sends: ({ quota }, facts) => lineOf(quota, facts),
  undoing: ({ before }, facts) => (before === null ? undefined : lineOf(before, facts)),

  begin: async ({ quota }, work) => {
    const { group, unit } = await groupNow(work.monitor.pid);
    await setQuota(group, unit, parseQuota(quota), timeLeft(work));
  },
  readBack: async ({ quota }, { monitor, deadline, signal }) => {
    const { group } = await groupNow(monitor.pid);
    await untilItIs("CPU quota", quota, () => formatQuota(percentOf(readQuota(group))), { by: deadline, signal });
    return { outcome: "done" };
  },
  inverse: ({ before }) => (before === null ? [] : [stepTo(before, null)]),

  remarks: ({ quota }, outcome, live) =>
    live === null || outcome !== "done" ? [] : [...starvation(quota, live.vcpus.length), ...narrower(quota, live)],
};

/** `setcpu --quota`: the CPU time that QEMU may use. */
export const cpuQuota: ResourceKind<CpuQuotaChange, { readonly cpu: { readonly quota: string | null } }> = {
  resource: "cpu-quota",
  row: 80,
  label: () => "cpu-quota",
  unit: "text",
  members: { quota: "text" },
  inFile: {
    path: ["cpu", "quota"],
    shape: '"PERCENT%"',
    example: '"150%"',
    changes: (value, place, complain) => {
      if (value === null || typeof value === "string") return [{ resource: "cpu-quota", quota: value ?? NO_QUOTA }];
      complain(place, value, 'a text, as "150%", or null');
      return [];
    },
  },
  needsGuest: false,
  stepKinds: [limiting],
  reads: [readCpuGroup],

  check: ({ quota }) => void parseQuota(quota),
  withValue: (change, value) => ({ ...change, quota: String(value) }),
  wanted: ({ quota }) => canonical(quota),
  command: ({ quota }, name) => `setcpu ${shellWord(name)} --quota ${shellWord(quota)}`,

  inConfig: (_change, config) => quotaOf(config),
  edits: ({ quota }) => [{ path: ["cpu", "quota"], value: inFile(quota) }],
  applied: ({ quota }, config) => withShare(config, { quota: inFile(quota) }),
  staticReasons: () => [],
  remarks: ({ change: { quota }, config }) => starvation(canonical(quota), config.vcpus.current),

  inLive: (_change, live) => ownGroup(live)?.quota ?? null,
  needed: ({ quota }, { live }) => ownGroup(live)?.quota !== canonical(quota),
  liveReasons: (_change, { live }, { name }) => groupReasons(live, name),
  steps: ({ quota }, { live }) => [stepTo(canonical(quota), ownGroup(live)?.quota ?? null)],

  rows: ({ config, live }) => {
    const wanted = config === null ? null : quotaOf(config);
    const actual = live === null ? null : (ownGroup(live)?.quota ?? null);
    return shareRow("cpu-quota", { wanted, actual, usual: NO_QUOTA }, live);
  },
  revert: ({ config, live }) => {
    const actual = ownGroup(live)?.quota ?? NO_QUOTA;
    return quotaOf(config) === actual ? [] : [{ resource: "cpu-quota", quota: quotaOf(config) }];
  },
  persist: ({ config, live }) => {
    const actual = ownGroup(live)?.quota ?? null;
    return actual === null || quotaOf(config) === actual ? [] : [{ resource: "cpu-quota", quota: actual }];
  },

  atStart: async (config, live) => {
    const quota = quotaOf(config);
    if (quota === NO_QUOTA) return;
    await shareAtStart(live, { name: config.name, asks: `cpu.quota of the config asks for ${quota}` }, async ({ group, unit }, by) => {
      await setQuota(group, unit, parseQuota(quota), by.timeout);
      await untilItIs("CPU quota", quota, () => formatQuota(percentOf(readQuota(group))), { by });
    });
  },
};

function stepTo(quota: string, before: string | null): CpuQuotaStep {
  return { kind: "cpu-quota", quota, before };
}

function canonical(quota: string): string {
  return formatQuota(parseQuota(quota));
}

function quotaOf({ cpu }: LaunchConfig): string {
  return canonical(cpu?.quota ?? NO_QUOTA);
}

function inFile(quota: string): string | undefined {
  return canonical(quota) === NO_QUOTA ? undefined : canonical(quota);
}

function lineOf(quota: string, { live }: Facts): string {
  const { group = null, unit = null } = live?.cpuGroup ?? {};
  return group === null ? `the quota of its cgroup: ${quota}` : quotaLine(group, unit, parseQuota(quota));
}

/** A group can't use more than the ones above it may. */
function narrower(quota: string, { cpuGroup }: Live): readonly string[] {
  const [percent, above] = [parseQuota(quota), cpuGroup?.above ?? null];
  return above === null || (percent !== null && percent <= above.percent)
    ? []
    : [`the cgroup above it, ${above.path}, has a quota of ${formatQuota(above.percent)}, and QEMU gets no more than that`];
}
