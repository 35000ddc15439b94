import { resizeMemory } from "../../config/fixed-sizes.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { startMemory } from "../facts/live-memory.ts";
import { shellWord } from "../model/format.ts";
import { checkSize, hasBalloon } from "./memory.ts";
import { type ResourceKind, when } from "./resource.ts";
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
export const maxMemory: ResourceKind<MaxMemoryChange> = {
  resource: "max-memory",
  row: 20,
  label: () => "max-memory",
  format: (value) => (typeof value === "number" ? formatSize(value) : value),
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
