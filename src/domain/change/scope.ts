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
  /** The path of a machine's config, if it was addressed by its monitor and has one all the same. */
  readonly ownConfig?: string | undefined;
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
export function missingSides({ name, state, why, transient, ownConfig }: ScopeFacts): readonly Refusal[] {
  const config = transient ? [withoutConfig(ownConfig, "a transient machine has no config", "")] : [];
  if (isThere(state)) return config;
  const live: Refusal =
    state === "stopped"
      ? { leg: "dynamic", reason: formatReason("the machine is not running", why), instead: starting(name, why) }
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
    const start = starting(name, why);
    const instead = !staticWorks() ? start : scope === "both" ? "--static alone changes what the next start uses" : `${start}, or --static`;
    return [{ leg: "dynamic", reason: formatReason("the machine is not running", why), instead }];
  }
  const instead =
    scope === "dynamic" || transient ? "try again when its monitor answers" : "--static alone changes what the next start uses";
  return [{ leg: "dynamic", reason: formatReason("the machine is unreachable, which is not stopped", why), instead }];
}

/** The advice to start it. `why` is what stands in the way of that: a start now would be refused too. */
function starting(name: string, why: string | undefined): string {
  return `qmpctl start ${shellWord(name)}${why === undefined ? "" : " when that is out of the way"}`;
}

function refuseStatic(isStatic: boolean, { transient, ownConfig }: ScopeFacts): readonly Refusal[] {
  return isStatic && transient ? [withoutConfig(ownConfig, "a transient machine has no config to change", "--dynamic, or ")] : [];
}

/**
 * `or`: what would work besides. A machine of ours that was addressed by its monitor has a config, which is written under its own name
 * only.
 */
function withoutConfig(ownConfig: string | undefined, why: string, or: string): Refusal {
  return ownConfig === undefined
    ? { leg: "static", reason: why, instead: `${or}\`qmpctl define\` it first` }
    : {
        leg: "static",
        reason: `by the address of its monitor only the running machine is meant, and its config is ${ownConfig}`,
        instead: `${or}the same with ${shellWord(ownConfig)} in the place of the address`,
      };
}
