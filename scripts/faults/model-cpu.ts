import type { Change } from "../../src/domain/resources/registry.ts";
import type { OwnGroup } from "../lab/cpu-group.ts";

/** A share of the CPUs in the model, in the units of reports. */
export interface Share {
  readonly "cpu-quota": string;
  readonly "cpu-weight": number;
}

/** A change of a share, and what it wants; null for another change. */
export function sharePart(change: Change): { readonly label: keyof Share; readonly value: string | number } | null {
  if (change.resource === "cpu-quota") return { label: "cpu-quota", value: change.quota };
  return change.resource === "cpu-weight" ? { label: "cpu-weight", value: change.weight } : null;
}

/** The share after a change. */
export function shareAfter(before: Share, change: Change): Share {
  const part = sharePart(change);
  return part === null ? before : { ...before, [part.label]: part.value };
}

/** The share in a config's text. */
export function shareInFile(cpu: { readonly quota?: string; readonly weight?: number } | undefined): Share {
  return { "cpu-quota": cpu?.quota ?? "none", "cpu-weight": cpu?.weight ?? 100 };
}

/** The share that the files of a group show; null without one. */
export async function shareIn(group: OwnGroup | null): Promise<Share | null> {
  if (group === null) return null;
  const { quota, weight } = await group.share();
  return { "cpu-quota": quota, "cpu-weight": weight };
}
