import type { Change } from "../../src/domain/resources/registry.ts";

/** What the disks of a machine have in the model, by the names of resources: limits, a medium; `none` where there are none. */
export interface Disks {
  readonly "disk-throttle": string;
  readonly "disk-medium": string;
}

/** What a change of these wants; null if it is another's. */
export function diskPart(change: Change): { readonly label: keyof Disks; readonly value: string } | null {
  if (change.resource === "disk-throttle") return { label: change.resource, value: change.limits };
  return change.resource === "disk-medium" ? { label: change.resource, value: change.medium } : null;
}

/** The disks after a change. */
export function disksAfter(before: Disks, change: Change): Disks {
  const part = diskPart(change);
  return part === null ? before : { ...before, [part.label]: part.value };
}
