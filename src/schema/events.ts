import { anything, boolean, number, object, optional, record, type Shape, string } from "../shape.ts";
import { complaint } from "./check.ts";
import type { Complaint } from "./message.ts";

/** The data of a device that was unplugged, or was not. `device` is its id, absent if it has none. */
export interface DeviceGone {
  readonly device?: string | undefined;
  readonly path: string;
}

/** QEMU's `ShutdownInfo`: whether the guest asked for it, and why (`guest-shutdown`, `host-qmp-quit`, …). */
export interface Shutdown {
  readonly guest: boolean;
  readonly reason: string;
}

/**
 * Events whose data is checked. All others are typed by the schemas of the recorded QEMUs (see vocabulary.ts). An event that none of them
 * has is delivered too; its data is `unknown`. Source: QEMU's qapi/*.json.
 */
export interface Events {
  SHUTDOWN: Shutdown;
  RESET: Shutdown;
  POWERDOWN: undefined;
  STOP: undefined;
  RESUME: undefined;
  /** `actual`: the memory that is left to the guest, in bytes. At most one event in a second; the last one always comes. */
  BALLOON_CHANGE: { readonly actual: number };
  DEVICE_DELETED: DeviceGone;
  DEVICE_UNPLUG_GUEST_ERROR: DeviceGone;
  ACPI_DEVICE_OST: {
    readonly info: {
      readonly device?: string | undefined;
      readonly slot: string;
      readonly "slot-type": string;
      readonly source: number;
      readonly status: number;
    };
  };
  /** `size` in bytes. `qom-path` since 6.0. */
  MEMORY_DEVICE_SIZE_CHANGE: { readonly id?: string | undefined; readonly size: number; readonly "qom-path"?: string | undefined };
  MEM_UNPLUG_ERROR: { readonly device: string; readonly msg: string };
  GUEST_PANICKED: { readonly action: string; readonly info?: Readonly<Record<string, unknown>> | undefined };
}

const cause = () => object({ guest: boolean, reason: string });
const gone = () => object({ device: optional(string), path: string });

const makers: { readonly [Name in keyof Events]?: () => Shape<Events[Name]> } = {
  SHUTDOWN: cause,
  RESET: cause,
  BALLOON_CHANGE: () => object({ actual: number }),
  DEVICE_DELETED: gone,
  DEVICE_UNPLUG_GUEST_ERROR: gone,
  ACPI_DEVICE_OST: () =>
    object({
      info: object({ device: optional(string), slot: string, "slot-type": string, source: number, status: number }),
    }),
  MEMORY_DEVICE_SIZE_CHANGE: () => object({ id: optional(string), size: number, "qom-path": optional(string) }),
  MEM_UNPLUG_ERROR: () => object({ device: string, msg: string }),
  GUEST_PANICKED: () => object({ action: string, info: optional(record(anything)) }),
};

const made = new Map<string, Complaint>();

/** The check of an event's data; undefined for events that are not listed or have none. */
export function eventCheck(name: string): Complaint | undefined {
  const known = made.get(name);
  if (known !== undefined || !Object.hasOwn(makers, name)) return known;
  const make = makers[name as keyof Events];
  if (make === undefined) return undefined;
  const check = complaint(make());
  made.set(name, check);
  return check;
}
