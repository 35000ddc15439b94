import { z } from "zod/v3";
import { type Check, complaint } from "./check.ts";
import type { Complaint } from "./message.ts";

/** The data of a device that went, or did not go. `device` is its id, absent when it has none. */
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
 * Events whose data is checked. All others of QEMU are typed by what QEMUs say of themselves (see vocabulary.ts), and one that no
 * QEMU knew comes too, with data that is unknown. Source: QEMU's qapi/*.json.
 */
export interface Events {
  SHUTDOWN: Shutdown;
  RESET: Shutdown;
  POWERDOWN: undefined;
  STOP: undefined;
  RESUME: undefined;
  /** Bytes that the guest is left with. At most one in a second, the last one always. */
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
  /** `qom-path` since 6.0; bytes. */
  MEMORY_DEVICE_SIZE_CHANGE: { readonly id?: string | undefined; readonly size: number; readonly "qom-path"?: string | undefined };
  MEM_UNPLUG_ERROR: { readonly device: string; readonly msg: string };
  GUEST_PANICKED: { readonly action: string; readonly info?: Readonly<Record<string, unknown>> | undefined };
}

const cause = () => z.object({ guest: z.boolean(), reason: z.string() }).passthrough();
const gone = () => z.object({ device: z.string().optional(), path: z.string() }).passthrough();

const makers: { readonly [Name in keyof Events]?: () => Check<Events[Name]> } = {
  SHUTDOWN: cause,
  RESET: cause,
  BALLOON_CHANGE: () => z.object({ actual: z.number() }).passthrough(),
  DEVICE_DELETED: gone,
  DEVICE_UNPLUG_GUEST_ERROR: gone,
  ACPI_DEVICE_OST: () =>
    z
      .object({
        info: z
          .object({ device: z.string().optional(), slot: z.string(), "slot-type": z.string(), source: z.number(), status: z.number() })
          .passthrough(),
      })
      .passthrough(),
  MEMORY_DEVICE_SIZE_CHANGE: () =>
    z.object({ id: z.string().optional(), size: z.number(), "qom-path": z.string().optional() }).passthrough(),
  MEM_UNPLUG_ERROR: () => z.object({ device: z.string(), msg: z.string() }).passthrough(),
  GUEST_PANICKED: () => z.object({ action: z.string(), info: z.record(z.unknown()).optional() }).passthrough(),
};

const made = new Map<string, Complaint>();

/** What is wrong with an event's data; undefined for events that are not listed or have none. */
export function eventCheck(name: string): Complaint | undefined {
  const known = made.get(name);
  if (known !== undefined || !Object.hasOwn(makers, name)) return known;
  const make = makers[name as keyof Events];
  if (make === undefined) return undefined;
  const check = complaint(make());
  made.set(name, check);
  return check;
}
