import type { Scope } from "../domain/model/change.ts";
import type { Change } from "../domain/resources/registry.ts";
import { kindOf } from "../domain/resources/registry.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";
import type { Wanted } from "./wanted.ts";

/** One thing that is done to bring a domain where it is wanted. */
export type Stage =
  | { readonly does: "apply"; readonly scope: Scope; readonly changes: readonly Change[] }
  | { readonly does: "start"; readonly paused: boolean }
  | { readonly does: "restart" | "resume" | "suspend" | "shutdown" | "destroy" | "undefine" }
  /** Nothing leads from this state to the wanted one without somebody who decides. */
  | { readonly does: "refuse"; readonly why: "stuck" | "unreachable" };

/** A domain as it is: what its state says, and whether it has a config. */
export type Found = Pick<DomainInfo, "state" | "transient">;

/** States that a resume ends, and that nobody has to look into first. */
const WAITS: ReadonlySet<string> = new Set(["paused", "suspended"]);

/**
 * What to do with a domain, in this order. What the config takes is written before a start, so that the machine starts with it; what only a
 * running machine has comes after it.
 */
export function stagesFor(wanted: Wanted, found: Found): readonly Stage[] {
  const { state, force } = wanted;
  const isUp = found.state !== "stopped";
  switch (state) {
    case "absent":
      return [...(isUp && force ? [{ does: "destroy" } as const] : []), { does: "undefine" }];
    case "stopped":
      return [...(isUp ? [{ does: "shutdown" } as const] : []), ...off(wanted)];
    case "destroyed":
      return [...(isUp ? [{ does: "destroy" } as const] : []), ...off(wanted)];
    case "present":
      return found.state === "stopped" ? off(wanted) : live(wanted, found);
    default:
      return isUp ? up(wanted, found) : started(wanted, { does: "start", paused: state === "paused" }, () => true);
  }
}

/** Of one that runs, or hangs, and is to run, be paused, or be started anew. */
function up(wanted: Wanted, found: Found): readonly Stage[] {
  if (found.state === "unreachable" || found.state === "damaged" || found.state === "unsafe")
    return [{ does: "refuse", why: "unreachable" }];
  // The images of a running machine can't be changed beneath it.
  if (wanted.state === "restarted") return started(wanted, { does: "restart" }, (change) => kindOf(change).isImage !== true);
  if (found.state !== "running" && !WAITS.has(found.state)) return [{ does: "refuse", why: "stuck" }];
  if (wanted.state === "running") return [...(found.state === "running" ? [] : [{ does: "resume" } as const]), ...live(wanted, found)];
  return [...live(wanted, found), ...(found.state === "paused" ? [] : [{ does: "suspend" } as const])];
}

/** A start, after what can be written before it and before the rest. */
function started(wanted: Wanted, start: Stage, mayBeWritten: (change: Change) => boolean): readonly Stage[] {
  const { scope, changes } = wanted;
  const isEarly = (change: Change): boolean => scope !== "dynamic" && mayBeWritten(change);
  return [
    ...apply("static", changes.filter(isEarly)),
    start,
    ...apply(
      scope,
      changes.filter((change) => !isEarly(change)),
    ),
  ];
}

/** The allocation of one that does not run. */
function off({ scope, changes }: Wanted): readonly Stage[] {
  return apply(scope === "both" || scope === "current" ? "static" : scope, changes);
}

/** The allocation of one that runs; one without a config has no other half. */
function live({ scope, changes }: Wanted, { transient }: Found): readonly Stage[] {
  return apply(transient && scope === "both" ? "dynamic" : scope, changes);
}

function apply(scope: Scope, changes: readonly Change[]): readonly Stage[] {
  return changes.length === 0 ? [] : [{ does: "apply", scope, changes }];
}
