import type { AcpiOstInfo } from "./replies.ts";

/**
 * ACPI's _OST: a guest's report about a request of the firmware. QEMU passes it on as the event ACPI_DEVICE_OST, and keeps the last report
 * of each slot (`query-acpi-ospm-status`). Source of the numbers: ACPI 6, section _OST.
 */
const EJECT_REQUEST = 3;
const SUCCESS = 0;
const UNDER_WAY: ReadonlySet<number> = new Set([131, 132]);

/** A guest's reasons for a refusal, by the status of its report. */
const REASONS: Readonly<Record<number, string>> = {
  1: "failure",
  128: "the device is in use by an application",
  129: "the device is busy",
  130: "a device it depends on is busy",
};

/** What a guest reports about a request to let go of a device. */
export type EjectReport = "done" | "under way" | "refused";

/** What a report says about letting go of a device; undefined if it is about anything else. */
export function ejectReport({ source, status }: Pick<AcpiOstInfo, "source" | "status">): EjectReport | undefined {
  if (source !== EJECT_REQUEST) return undefined;
  if (status === SUCCESS) return "done";
  return UNDER_WAY.has(status) ? "under way" : "refused";
}

/** Why the guest refused, in words, from the status of its report. */
export function refusalReason(status: number): string {
  return REASONS[status] ?? "no reason given";
}
