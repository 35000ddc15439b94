import type { WorkedOut } from "../domain/change/plan-asking.ts";
import type { Change } from "../domain/resources/registry.ts";
import { UsageError } from "../errors.ts";

/** Changes that are worked out where the machine is, by the name of what works them out. */
export interface Asked {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What works changes out from the facts, by its name. */
const WORKERS: Readonly<Record<string, (...args: never[]) => Promise<WorkedOut>>> = {
  wholeMemory: async (size: number) => (await import("../domain/resources/whole-memory.ts")).wholeMemory(size),
  newDimm: async (size: number, options: { readonly node?: number }) =>
    (await import("../domain/resources/new-dimm.ts")).newDimm(size, options),
};

/** Changes as they travel. @throws UsageError for those that a function of the caller's own works out */
export function toSend(wanted: Change | readonly Change[] | WorkedOut): readonly Change[] | Asked {
  if (typeof wanted !== "function") return "resource" in wanted ? [wanted] : wanted;
  if (wanted.asks !== undefined && Object.hasOwn(WORKERS, wanted.asks.name)) return wanted.asks;
  throw new UsageError("a change that a function of your own works out can't be made on another host", {
    value: wanted.name,
    expected: "changes, wholeMemory(…) or newDimm(…)",
  });
}

/** Changes as they arrived, to be made. @throws UsageError for none */
export async function asArrived(value: unknown): Promise<readonly Change[] | WorkedOut> {
  if (Array.isArray(value)) return value as readonly Change[];
  const { name, args } = (typeof value === "object" && value !== null ? value : {}) as { readonly name?: unknown; readonly args?: unknown };
  const worker = typeof name === "string" && Object.hasOwn(WORKERS, name) ? WORKERS[name] : undefined;
  if (worker !== undefined && Array.isArray(args)) return worker(...(args as never[]));
  throw new UsageError("changes are missing, or are none", { value, expected: "a list of changes" });
}
