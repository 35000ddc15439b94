import type { LaunchConfig } from "../../config/launch.ts";
import { dimmCount, dimmMemory, dimmsInArgs, idsInArgs, numaNodes, virtioMemRoom } from "../../config/memory-in-args.ts";
import { formatSize } from "../../config/size.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { startMemory } from "../facts/live-memory.ts";
import type { Live } from "../facts/live.ts";
import { type Dimm, dimmsIn, type MemoryDevice } from "../facts/memory-devices.ts";
import { shellWord } from "../model/format.ts";
import { runStateOf } from "../model/run-state.ts";
import { noReturn } from "./dimm-backend.ts";
import { isUntaken } from "./dimm-state.ts";
import { pendingDimms } from "./pending.ts";
import { type CheckOptions, type Reason, when } from "./resource.ts";

/** What is wanted: a DIMM of this size, or none if it is 0. */
interface Wanted {
  readonly id: string;
  readonly size: number;
  readonly node: number;
}

/** Why the config can't have it. `after` is the config with all changes of the set. */
export function configReasons({ id, size, node }: Wanted, before: LaunchConfig, after: LaunchConfig): readonly Reason[] {
  const there = dimmsInArgs(before.args).find((dimm) => dimm.id === id);
  if (size === 0) return [];
  if (there !== undefined) return [otherSize(id, there.size)];
  const { memory, args } = after;
  const nodes = Math.max(1, numaNodes(args));
  const all = memory.max + dimmMemory(args) + virtioMemRoom(args);
  return [
    ...when(idsInArgs(before.args).has(id), () => ({ reason: `args have another device or object ${id}`, instead: "another --id" })),
    ...when(node >= nodes, () => ({
      reason: `the config has no NUMA node ${node}, but ${nodes === 1 ? "one, 0" : `0 to ${nodes - 1}`}`,
      instead: "one of those, or -numa node words in args",
    })),
    ...room(
      memory.hotplug ?? { slots: 0, limit: 0 },
      { dimms: dimmCount(args), all },
      "memory.hotplug of the config",
      memory.hotplug === undefined,
    ),
  ];
}

/** Why the running machine can't have it. */
export function machineReasons(
  { id, size }: Wanted,
  facts: LiveFacts,
  { name, force }: Pick<CheckOptions, "name" | "force">,
): readonly Reason[] {
  const { live } = facts;
  const there = dimmsIn(live.memory.devices).find((dimm) => dimm.id === id);
  if (size === 0)
    return there === undefined ? [] : [...leavingReasons(there, live, name), ...(force ? [] : lastingReasons(there, live, name))];
  if (pendingDimms(facts).includes(id))
    return when(!force, () => ({
      reason: `the guest was asked to let go of DIMM ${id} and has not done it yet; QEMU can't take that back`,
      instead: `wait until it has (qmpctl diff ${shellWord(name)}), or another --id`,
    }));
  if (there !== undefined) return [otherSize(id, there.size)];
  return [
    ...when(live.ids.has(id), () => ({ reason: `the machine has another device ${id}`, instead: "another --id" })),
    ...roomNow(size, live),
  ];
}

/** Before its guest has set ACPI up, QEMU refuses an unplug, or takes it and the guest never hears of it (measured of vCPUs). */
function leavingReasons(dimm: Dimm, live: Live, name: string): readonly Reason[] {
  const { id } = dimm;
  const instead = `qmpctl resume ${shellWord(name)} and wait until it is up, or qmpctl unplugmem ${shellWord(name)} ${shellWord(id)} --static`;
  if (live.status === "prelaunch") return [{ reason: `the guest has not started yet, so it can't let go of DIMM ${id}`, instead }];
  return when(!live.running && isUntaken(dimm, live), () => ({
    reason: `the guest ${runStateOf(live.status).is} and has not taken DIMM ${id} yet: it would take it when it runs again, and never hear that it is to let go of it`,
    instead,
  }));
}

/** What could not be plugged back if the rest of the change fails is not taken out without being told so. */
function lastingReasons(dimm: Dimm, live: Live, name: string): readonly Reason[] {
  const why = noReturn(dimm, live);
  return when(why !== null, () => ({
    reason: `DIMM ${dimm.id} could not be plugged back: ${why}`,
    instead: `--force, if it need not come back; or qmpctl unplugmem ${shellWord(name)} ${shellWord(dimm.id)} --static and a restart`,
  }));
}

function otherSize(id: string, size: number | null): Reason {
  return {
    reason: `DIMM ${id} is there${size === null ? "" : ` with ${formatSize(size)}`}, and a DIMM can't change its size`,
    instead: "another --id beside it, or unplugmem first",
  };
}

function roomNow(size: number, live: Live): readonly Reason[] {
  const { memoryRoom, memory } = live;
  if (memoryRoom === undefined) return [];
  const devices = memory.devices ?? [];
  const dimms = devices.filter(({ type }) => type === "dimm" || type === "nvdimm");
  const taken = devices.reduce((sum, device) => sum + roomOf(device), 0);
  return room(memoryRoom, { dimms: dimms.length + 1, all: startMemory(memory) + taken + size }, "the running QEMU", memoryRoom.limit === 0);
}

/** A virtio-mem device has room for all that it can ever give. */
function roomOf({ size, resizable }: MemoryDevice): number {
  return resizable?.most ?? size;
}

function room(
  { slots, limit }: { readonly slots: number; readonly limit: number },
  { dimms, all }: { readonly dimms: number; readonly all: number },
  who: string,
  isNone: boolean,
): readonly Reason[] {
  const words = `memory.hotplug ${JSON.stringify({ slots: Math.max(slots, dimms + 3), limit: formatSize(Math.max(limit, all * 2)) })} in the config, and a restart`;
  if (isNone || slots === 0) return [{ reason: `${who} has no slots for DIMMs`, instead: words }];
  return [
    ...when(dimms > slots, () => ({
      reason: `${who} has ${slots} slots for DIMMs, and this would be number ${dimms}`,
      instead: `unplugmem one first, or ${words}`,
    })),
    ...when(all > limit, () => ({
      reason: `all memory together would be ${formatSize(all)}, and ${who} has room for ${formatSize(limit)}`,
      instead: `a smaller one, or ${words}`,
    })),
  ];
}
