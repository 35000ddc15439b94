import { resizeMemory } from "../../config/fixed-sizes.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { startMemory } from "../facts/live-memory.ts";
import { shellWord } from "../model/format.ts";
import { sizeIn } from "./file-part.ts";
import { checkSize, hasBalloon } from "./memory-checks.ts";
import { type ResourceKind, when } from "./resource.ts";
import { fixedAtStart } from "./row.ts";
import { resizedArgs, unclear, wordEdits } from "./sizes-in-args.ts";

/** How much memory the machine is to have at its start, in bytes. */
export interface MaxMemoryChange {
  readonly resource: "max-memory";
  readonly size: number;
}

/** Without a balloon a guest has all of its memory: there, current goes where the maximum goes. */
function follows(config: LaunchConfig): boolean {
  return config.memory.current === config.memory.max && !hasBalloon(config);
}

/** `setmaxmem`: the RAM that QEMU gives the machine at start. */
export const maxMemory: ResourceKind<MaxMemoryChange, { readonly memory: { readonly max: string } }> = {
  resource: "max-memory",
  row: 20,
  label: () => "max-memory",
  unit: "bytes",
  members: { size: "number" },
  inFile: {
    path: ["memory", "max"],
    shape: "SIZE",
    example: '"512M"',
    changes: (value, place, complain) => {
      const size = sizeIn(value, place, complain);
      return size === undefined ? [] : [{ resource: "max-memory", size }];
    },
  },
  needsGuest: true,
  isMaximum: true,
  stepKinds: [],
  withValue: (change, value) => ({ ...change, size: Number(value) }),
  check: (change) => checkSize("maximum memory", change.size, 8192, "a positive multiple of 8 KiB"),
  wanted: (change) => change.size,
  inConfig: (_change, config) => config.memory.max,
  edits: (change, config) => {
    const value = formatSize(change.size);
    return [
      { path: ["memory", "max"], value },
      ...(follows(config) ? [{ path: ["memory", "current"], value }] : []),
      ...wordEdits(resizeMemory(config.args, change.size)),
    ];
  },
  applied: ({ size }, config) => ({
    ...config,
    memory: { ...config.memory, max: size, ...(follows(config) ? { current: size } : {}) },
    args: resizedArgs(config.args, resizeMemory(config.args, size)),
  }),
  inLive: (_change, live) => startMemory(live.memory),
  needed: (change, { live }) => startMemory(live.memory) !== change.size,
  command: (change, name) => `setmaxmem ${shellWord(name)} ${formatSize(change.size)}`,
  steps: () => [],

  rows: ({ config, live }) => {
    const start = live === null ? undefined : startMemory(live.memory);
    const why = fixedAtStart(config?.memory.max, start);
    return [{ resource: "max-memory", config: config?.memory.max ?? null, live: start ?? null, guest: null, why }];
  },
  revert: null,
  persist: ({ live }) => [{ resource: "max-memory", size: startMemory(live.memory) }],

  // A config whose maximum is written says nothing of what was plugged.
  remarks: ({ live }) => {
    const { dimms = 0, virtioMem = 0 } = live?.memory ?? {};
    const plugged = [
      ...(dimms > 0 ? [`DIMMs (${formatSize(dimms)})`] : []),
      ...(virtioMem > 0 ? [`virtio-mem (${formatSize(virtioMem)})`] : []),
    ];
    return plugged.length === 0
      ? []
      : [`memory.max is without ${plugged.join(" and ")}: the next start has of those what the config's args plug`];
  },

  staticReasons: ({ size }, { after }, { name }) => [
    ...when(after.memory.current > size, () => ({
      reason: `maximum memory ${formatSize(size)} is below memory.current ${formatSize(after.memory.current)} of the config`,
      instead: `qmpctl setmem ${shellWord(name)} ${formatSize(size)} --static first`,
    })),
    ...when(after.memory.hotplug !== undefined && after.memory.hotplug.limit <= size, () => ({
      reason: `maximum memory ${formatSize(size)} is not below memory.hotplug.limit ${formatSize(after.memory.hotplug?.limit ?? 0)} of the config`,
      instead: "raise memory.hotplug.limit in the config first",
    })),
    ...unclear(`maximum memory ${formatSize(size)}`, resizeMemory(after.args, size), "memory.max"),
  ],

  liveReasons: ({ size }, { live }, { name }) =>
    when(startMemory(live.memory) !== size, () => ({
      reason: `QEMU fixes the maximum memory at start (${formatSize(startMemory(live.memory))})`,
      instead: `qmpctl setmaxmem ${shellWord(name)} ${formatSize(size)} --static, then qmpctl restart ${shellWord(name)}`,
    })),
};
