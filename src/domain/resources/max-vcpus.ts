import { resizeVcpus, type Resizing } from "../../config/fixed-sizes.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { onlineVcpus } from "../../config/online-vcpus.ts";
import { misfit, productOf } from "../../config/topology.ts";
import { UsageError } from "../../errors.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import { roomForVcpus } from "../facts/live.ts";
import { listVcpus, shellWord } from "../model/format.ts";
import { countIn } from "./file-part.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";
import { fixedAtStart } from "./row.ts";
import { resizedArgs, unclear, wordEdits } from "./sizes-in-args.ts";

/** How many vCPUs the machine is to have room for, from its next start on. */
export interface MaxVcpusChange {
  readonly resource: "max-vcpus";
  readonly count: number;
}

/** Checks a number of vCPUs. `what` names it in the error. */
export function checkCount(what: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 1 && count <= 4096) return;
  throw new UsageError(`${what} ${count}: not a number of vCPUs`, { value: count, expected: "a whole number from 1 to 4096" });
}

/** `setvcpus --maximum`: how many vCPUs there is room for, fixed at start. */
export const maxVcpus: ResourceKind<MaxVcpusChange, { readonly vcpus: { readonly max: number } }> = {
  resource: "max-vcpus",
  row: 40,
  label: () => "max-vcpus",
  unit: "count",
  members: { count: "number" },
  inFile: {
    path: ["vcpus", "max"],
    shape: "N",
    example: "2",
    changes: (value, place, complain) => {
      const count = countIn(value, place, complain);
      return count === undefined ? [] : [{ resource: "max-vcpus", count }];
    },
  },
  needsGuest: true,
  isMaximum: true,
  stepKinds: [],
  withValue: (change, value) => ({ ...change, count: Number(value) }),
  check: (change) => checkCount("maximum vCPUs", change.count),
  wanted: (change) => change.count,
  inConfig: (_change, config) => config.vcpus.max,
  edits: (change, config) => [{ path: ["vcpus", "max"], value: change.count }, ...wordEdits(resizing(config, change))],
  applied: (change, config) => ({
    ...config,
    vcpus: { ...config.vcpus, max: change.count },
    args: resizedArgs(config.args, resizing(config, change)),
  }),
  inLive: (_change, live) => live.maxVcpus,
  needed: (change, { live }) => live.maxVcpus !== change.count,
  command: (change, name) => `setvcpus ${shellWord(name)} ${change.count} --maximum`,
  steps: () => [],

  rows: ({ config, live }) => {
    const most = live === null ? null : roomForVcpus(live);
    const why = fixedAtStart(config?.vcpus.max, most ?? undefined);
    return [{ resource: "max-vcpus", config: config?.vcpus.max ?? null, live: most, guest: null, why }];
  },
  revert: null,
  persist: ({ live }) => {
    const most = roomForVcpus(live);
    return most === null ? [] : [{ resource: "max-vcpus", count: most }];
  },

  staticReasons: ({ count }, { after, config }, { name }) => [
    ...when(after.vcpus.current > count, () => ({
      reason: `maximum vCPUs ${count} is below vcpus.current ${after.vcpus.current} of the config`,
      instead: `qmpctl setvcpus ${shellWord(name)} ${count} --static first`,
    })),
    ...strayVcpus(after, count, name),
    ...strayPins(after, count, name),
    ...topology(after, count),
    ...(config === null ? [] : unclear(`maximum vCPUs ${count}`, resizing(config, { count }), "vcpus.max")),
  ],

  liveReasons: ({ count }, { live }, { name }) =>
    when(live.maxVcpus !== count, () => ({
      reason: `QEMU fixes the maximum number of vCPUs at start (${live.maxVcpus})`,
      instead: `qmpctl setvcpus ${shellWord(name)} ${count} --maximum --static, then qmpctl restart ${shellWord(name)}`,
    })),
};

/** Which vCPUs go is the user's to say, as they were chosen one by one. */
function strayVcpus({ vcpus }: LaunchConfig, count: number, name: string): readonly Reason[] {
  const stray = [...onlineVcpus(vcpus)].filter((vcpu) => vcpu >= count);
  return when(stray.length > 0 && vcpus.current <= count, () => ({
    reason: `the config starts with ${listVcpus(stray)}, which a maximum of ${count} has no room for`,
    instead: `qmpctl setvcpu ${shellWord(name)} ${formatCpuList(new Set(stray))} --disable --static first`,
  }));
}

/** Pins of vCPUs that there would be no room for are the user's to drop, not ours. */
function strayPins(after: LaunchConfig, count: number, name: string): readonly Reason[] {
  const stray = Object.keys(after.vcpus.pin).filter((vcpu) => Number(vcpu) >= count);
  return when(stray.length > 0, () => ({
    reason: `the config pins vCPU ${stray.join(", ")}, which a maximum of ${count} has no room for`,
    instead: `qmpctl vcpupin ${shellWord(name)} ${stray[0]} all --static first`,
  }));
}

function topology({ vcpus: { topology: shape = {} } }: LaunchConfig, count: number): readonly Reason[] {
  return when(misfit(shape, count) !== undefined, () => ({
    reason: `vcpus.topology of the config describes ${productOf(shape)} vCPUs, not ${count}`,
    instead: "change vcpus.topology and vcpus.max together in the config",
  }));
}

function resizing({ args, vcpus }: LaunchConfig, { count }: Pick<MaxVcpusChange, "count">): Resizing {
  return resizeVcpus(args, vcpus.max, count);
}
