import type { LaunchConfig } from "../../config/launch.ts";
import { mayHaveMore, virtioMemsInArgs } from "../../config/memory-in-args.ts";
import { formatSize, parseSizeOrNone } from "../../config/size.ts";
import { HostError, messageOf, UsageError } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { type VirtioMem, virtioMemsIn } from "../facts/memory-devices.ts";
import { readVirtioMemDrivers } from "../facts/virtio-mem-drivers.ts";
import { shellWord } from "../model/format.ts";
import type { ResourceKind } from "./resource.ts";
import { CHANGED, type DiffRow } from "./row.ts";
import { configReasons, deviceReasons } from "./virtio-mem-reasons.ts";
import { pathOf, requesting, whyNotThere } from "./virtio-mem-step.ts";

/** How much a virtio-mem device is to give the guest, in bytes; 0 for nothing. A device without an id goes by its QOM path. */
export interface MemoryPluggedChange {
  readonly resource: "memory-plugged";
  readonly id: string;
  readonly size: number;
}

/** `setmem --device ID`: what a virtio-mem device gives. */
export const memoryPlugged: ResourceKind<MemoryPluggedChange, { readonly memory: { readonly plugged: Readonly<Record<string, string>> } }> =
  {
    resource: "memory-plugged",
    row: 12,
    label: ({ id }) => `memory-plugged ${id}`,
    unit: "bytes",
    members: { id: "text", size: "number" },
    inFile: {
      path: ["memory", "plugged"],
      shape: '{"ID": SIZE}',
      example: '{"vm0": "1GiB"}',
      changes: (value, place, complain) => {
        if (typeof value === "object" && value !== null && !Array.isArray(value))
          return Object.entries(value).flatMap(([id, size]): readonly MemoryPluggedChange[] => {
            const bytes = sizeOrNone(size);
            if (bytes !== undefined) return [{ resource: "memory-plugged", id, size: bytes }];
            complain(`${place}.${id}`, size, 'a text with a unit, as "512M", or "0"');
            return [];
          });
        complain(place, value, 'an object, as {"vm0": "1GiB"}');
        return [];
      },
    },
    needsGuest: true,
    guestMoves: true,
    movesHostMemory: true,
    stepKinds: [requesting],
    reads: [readVirtioMemDrivers],
    withValue: (change, value) => ({ ...change, size: Number(value) }),
    check: ({ id, size }) => {
      if (id === "") throw new UsageError("virtio-mem device: no id", { value: id, expected: "the id of a device" });
      if (!Number.isSafeInteger(size) || size < 0)
        throw new UsageError(`virtio-mem ${id}: ${size} bytes is no size`, { value: size, expected: "a whole number of blocks, or 0" });
    },
    wanted: ({ size }) => size,
    command: ({ id, size }, name) => `setmem ${shellWord(name)} ${formatSize(size)} --device ${shellWord(id)}`,

    inConfig: ({ id }, config) => pluggedIn(config, id),
    edits: ({ id, size }, config) => [
      { path: ["memory", "plugged", id], value: size === requestedByArgs(config, id) ? undefined : formatSize(size) },
    ],
    applied: ({ id, size }, config) => {
      const { [id]: _, ...others } = config.memory.plugged ?? {};
      const plugged = size === requestedByArgs(config, id) ? others : { ...others, [id]: size };
      return { ...config, memory: { ...config.memory, plugged } };
    },
    staticReasons: (change, { after, live }) => configReasons(change, after, deviceOf(change.id, live)),
    remarks: ({ change: { id, size }, config }) => {
      const own = virtioMemsInArgs(config.args).find((each) => each.id === id)?.requested ?? 0;
      return own === 0 || own === size || config.memory.plugged?.[id] === undefined
        ? []
        : [`memory.plugged ${id} counts, and not requested-size=${formatSize(own)} of args: start asks for it after QEMU has read those`];
    },

    inLive: ({ id }, live) => deviceOf(id, live)?.size ?? null,
    needed: ({ id, size }, { live }) => {
      const device = deviceOf(id, live);
      return device?.size !== size || device.resizable.target !== size;
    },
    back: ({ id }, { live }) => deviceOf(id, live)?.resizable.target ?? null,
    liveReasons: (change, { live }) => deviceReasons(change, live),
    steps: ({ id, size }, { live }) => {
      const device = deviceOf(id, live);
      return device === undefined ? [] : [{ kind: "virtio-mem", id, target: size, before: device.resizable.target, actual: device.size }];
    },

    rows: (facts) => idsOf(facts).map((id) => rowOf(id, facts)),
    revert: ({ config, live }) =>
      virtioMemsIn(live.memory.devices).flatMap(({ id }): readonly MemoryPluggedChange[] => {
        const size = pluggedIn(config, id);
        return size === null ? [] : [{ resource: "memory-plugged", id, size }];
      }),
    // The target, not what the guest has done of it so far: after a reset it has done nothing.
    persist: ({ config, live }) =>
      virtioMemsIn(live.memory.devices).flatMap(({ id, resizable: { target } }): readonly MemoryPluggedChange[] =>
        pluggedIn(config, id) === null ? [] : [{ resource: "memory-plugged", id, size: target }],
      ),

    atStart: async ({ memory: { plugged = {} } }, live, session) => {
      for (const [id, size] of Object.entries(plugged)) {
        const reasons = deviceReasons({ id, size }, live);
        if (reasons.length > 0) throw new HostError(`memory.plugged of the config: ${reasons.map(({ reason }) => reason).join("; ")}`);
        try {
          await session.execute("qom-set", { path: pathOf(id), property: "requested-size", value: size });
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          throw new HostError(`memory.plugged of the config: virtio-mem ${id}: ${messageOf(error)}`, {}, { cause: error });
        }
      }
    },
  };

function sizeOrNone(value: unknown): number | undefined {
  try {
    return typeof value === "string" ? parseSizeOrNone(value) : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function deviceOf(id: string, live: Live | null): VirtioMem | undefined {
  return virtioMemsIn(live?.memory.devices).find((device) => device.id === id);
}

/** What args ask a device for; null where they have no such device, as far as their words tell. */
function requestedByArgs({ args }: LaunchConfig, id: string): number | null {
  return virtioMemsInArgs(args).find((device) => device.id === id)?.requested ?? null;
}

/** What the next start asks a device for; null where it has no such device. */
function pluggedIn(config: LaunchConfig, id: string): number | null {
  const own = requestedByArgs(config, id);
  const isPossible = own !== null || mayHaveMore(config.args);
  return isPossible ? (config.memory.plugged?.[id] ?? own) : null;
}

/** Every device that either half knows of. */
function idsOf({ config, live }: Facts): readonly string[] {
  const ofConfig =
    config === null ? [] : [...virtioMemsInArgs(config.args).map(({ id }) => id), ...Object.keys(config.memory.plugged ?? {})];
  return [...new Set([...ofConfig, ...virtioMemsIn(live?.memory.devices).map(({ id }) => id)])];
}

function rowOf(id: string, { config, live }: Facts): DiffRow {
  const device = deviceOf(id, live);
  const fixed = config === null ? null : pluggedIn(config, id);
  return {
    resource: `memory-plugged ${id}`,
    config: fixed,
    live: live === null ? null : (device?.size ?? 0),
    guest: null,
    why: live === null ? null : whyOf(fixed, device, live, config),
  };
}

function whyOf(fixed: number | null, device: VirtioMem | undefined, live: Live, config: LaunchConfig | null): string | null {
  if (device === undefined) return "waits for the next start: the running machine has no such device";
  const { size, resizable } = device;
  const differs = config === null ? null : fixed === null ? "not in the config's args: the next start has it not" : CHANGED;
  if (size !== resizable.target) {
    const isUp = live.virtioMemDrivers?.get(device.id) ?? null;
    const waits = `waits for the guest: asked to go to ${formatSize(resizable.target)}; ${whyNotThere(device, isUp)}`;
    return fixed === resizable.target || differs === null ? waits : `${waits}; ${differs}`;
  }
  return fixed === size ? null : differs;
}
