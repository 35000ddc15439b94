import type { Change, Resource } from "../model/change.ts";
import { maxMemory } from "./max-memory.ts";
import { maxVcpus } from "./max-vcpus.ts";
import { memory } from "./memory.ts";
import type { ResourceKind } from "./resource.ts";
import { vcpuPin } from "./vcpu-pin.ts";
import { vcpus } from "./vcpus.ts";

type Kinds = { readonly [R in Resource]: ResourceKind<Extract<Change, { resource: R }>> };

const KINDS: Kinds = { memory, "max-memory": maxMemory, vcpus, "max-vcpus": maxVcpus, "vcpu-pin": vcpuPin };

/** What there is to know of a change's resource. */
export function kindOf(change: Change): ResourceKind<Change> {
  // The key picks the kind that takes exactly this member of the union; TypeScript can't follow that.
  return KINDS[change.resource] as unknown as ResourceKind<Change>;
}

/** The name of a change's place in tables: `memory`, `vcpu-pin 0`. */
export function nameOf(change: Change): string {
  return change.resource === "vcpu-pin" ? `vcpu-pin ${change.vcpu}` : change.resource;
}

/** The same change with another value. */
export function withValue(change: Change, value: number | string): Change {
  if (change.resource === "vcpu-pin") return { ...change, cpus: String(value) };
  return "size" in change ? { ...change, size: Number(value) } : { ...change, count: Number(value) };
}
