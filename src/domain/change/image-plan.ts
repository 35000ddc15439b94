import type { Facts } from "../facts/facts.ts";
import { type Change, kindOf, nameOf } from "../resources/registry.ts";
import type { Reason } from "../resources/resource.ts";
import type { Step } from "../resources/step.ts";

/** An image is changed by the machine that has it in use. */
export function imageHalf<H extends { readonly needed: boolean }>(change: Change, half: H | null, live: H | undefined): H | null {
  return half === null || live === undefined || kindOf(change).isImage !== true ? half : { ...half, needed: live.needed };
}

/** The steps for a machine that does not run. */
export function stepsOff(changes: readonly Change[], facts: Facts): readonly { readonly step: Step; readonly change: number }[] {
  if (facts.state !== "stopped") return [];
  return changes.flatMap((change, position) =>
    (kindOf(change).stepsOff?.(change, facts) ?? []).map((step) => ({ step, change: position })),
  );
}

/** An image that a running machine has in use is changed by that machine. */
export function inUse(change: Change, isLiveToo: boolean): readonly Reason[] {
  const reason = `${nameOf(change)}: the running machine has the image in use, and both halves are that one image`;
  return isLiveToo ? [] : [{ reason, instead: "--dynamic, or --both" }];
}
