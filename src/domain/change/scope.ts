import type { DomainState, Refusal, Scope } from "../model/change.ts";
import { formatReason, shellWord } from "../model/format.ts";
import { isThere } from "../model/run-state.ts";

/** Which halves a change touches. */
export interface Halves {
  readonly static: boolean;
  readonly dynamic: boolean;
  readonly refusals: readonly Refusal[];
}

/** The facts that decide which halves a change touches. */
export interface ScopeFacts {
  readonly name: string;
  readonly state: DomainState;
  readonly why?: string | undefined;
  readonly transient: boolean;
  /** Whether the same change could be made in the config: it is advised only then. It can unless told. */
  readonly staticWorks?: () => boolean;
}

/**
 * The table of the four scopes in SCOPES.md. A machine that does not answer never counts as stopped: a busy monitor must not turn a live
 * change into a change of the config.
 */
export function halvesOf(scope: Scope, facts: ScopeFacts): Halves {
  const dynamic = scope === "dynamic" || scope === "both" || (scope === "current" && facts.state !== "stopped");
  const isStatic = scope === "static" || scope === "both" || (scope === "current" && facts.state === "stopped");
  return { static: isStatic, dynamic, refusals: [...refuseLive(dynamic, scope, facts), ...refuseStatic(isStatic, facts)] };
}

/** Why one half can't be made equal to the other: there is only one. */
export function missingSides({ name, state, why, transient }: ScopeFacts): readonly Refusal[] {
  const config: readonly Refusal[] = transient
    ? [{ leg: "static", reason: "a transient machine has no config", instead: "`qmpctl define` it first" }]
    : [];
  if (isThere(state)) return config;
  const live: Refusal =
    state === "stopped"
      ? { leg: "dynamic", reason: formatReason("the machine is not running", why), instead: `qmpctl start ${shellWord(name)}` }
      : {
          leg: "dynamic",
          reason: formatReason("the machine is unreachable, which is not stopped", why),
          instead: "try again when its monitor answers",
        };
  return [...config, live];
}

function refuseLive(
  dynamic: boolean,
  scope: Scope,
  { name, state, why, transient, staticWorks = () => true }: ScopeFacts,
): readonly Refusal[] {
  if (!dynamic || isThere(state)) return [];
  if (state === "stopped") {
    const start = `qmpctl start ${shellWord(name)}`;
    const instead = !staticWorks() ? start : scope === "both" ? "--static alone changes what the next start uses" : `${start}, or --static`;
    return [{ leg: "dynamic", reason: formatReason("the machine is not running", why), instead }];
  }
  const instead =
    scope === "dynamic" || transient ? "try again when its monitor answers" : "--static alone changes what the next start uses";
  return [{ leg: "dynamic", reason: formatReason("the machine is unreachable, which is not stopped", why), instead }];
}

function refuseStatic(isStatic: boolean, { transient }: ScopeFacts): readonly Refusal[] {
  if (!isStatic || !transient) return [];
  return [{ leg: "static", reason: "a transient machine has no config to change", instead: "--dynamic, or `qmpctl define` it first" }];
}
