import { formatSize } from "../config/size.ts";
import type { Resource, Value } from "./change.ts";

/** A resource's value as a person reads it: sizes with their unit, nothing as a dash. */
export function formatValue(resource: Resource, value: Value): string {
  if (value === null) return "-";
  return (resource === "memory" || resource === "max-memory") && typeof value === "number" ? formatSize(value) : String(value);
}

/** `what: why`, or only what. */
export function formatReason(what: string, why: string | undefined): string {
  return why === undefined ? what : `${what}: ${why}`;
}

/** `1 vCPU`, `2 vCPUs`. */
export function formatVcpus(count: number): string {
  return `${count} vCPU${count === 1 ? "" : "s"}`;
}
