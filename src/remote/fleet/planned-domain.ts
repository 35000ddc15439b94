import type { Report } from "../../domain/change/change-report.ts";
import { RefusedError } from "../../domain/change/errors.ts";
import type { Domain } from "../../domain/facade.ts";
import type { RecoveryReport } from "../../domain/lifecycle/recover.ts";
import { StateError } from "../../domain/model/errors.ts";
import { shellWord } from "../../domain/model/format.ts";
import type { DomainInfo } from "../../domain/views/inspect.ts";
import { QmpctlError } from "../../errors.ts";
import { DOMAIN_CALLS } from "../calls.ts";
import { isAsWanted } from "./ended.ts";

/** What a target would come to. */
export interface Planned {
  readonly outcome: "planned" | "unchanged";
  /** Of a change. */
  readonly report?: Report;
  readonly value?: unknown;
  /** What else there is to know. */
  readonly notes?: readonly string[];
}

/** Ends the work on a domain once it is known what it would come to: what follows is said of what was done. */
export class PlanEnd extends Error {}

type Options = { readonly dryRun?: boolean; readonly signal?: AbortSignal; readonly timeout?: number };

/**
 * A domain on which nothing can be changed. What reads, reads; a change is made as a dry run, and an action looks whether the machine's
 * state allows it. `tell` hears what it would come to; then the work is ended, unless it is so already, or a dry run was what it asked
 * for.
 *
 * `asFarAs`: what can be done only in part, as a revert of all, counts as one that can be done.
 */
export function plannedDomain(domain: Domain, tell: (planned: Planned) => void, { asFarAs }: { readonly asFarAs: boolean }): Domain {
  const overrides = Object.entries(DOMAIN_CALLS)
    .filter(([, { writes }]) => writes)
    .map(([name, { begins }]): [string, unknown] => {
      const plan = begins ? dryRun : look;
      return [name, (...args: readonly unknown[]) => plan(domain, name, args, tell, asFarAs)];
    });
  return { ...domain, ...Object.fromEntries(overrides) } as Domain;
}

type Plan = (
  domain: Domain,
  name: string,
  args: readonly unknown[],
  tell: (planned: Planned) => void,
  asFarAs: boolean,
) => Promise<unknown>;

const dryRun: Plan = async (domain, name, args, tell, asFarAs) => {
  const options = (args.at(-1) ?? {}) as Options;
  let isSo = false;
  const call = (domain as unknown as Readonly<Record<string, (...words: readonly unknown[]) => Promise<unknown>>>)[name];
  const answer = await call?.(...args.slice(0, -1), { ...options, dryRun: true });
  if (name === "recover") tell({ outcome: "planned", value: answer as RecoveryReport });
  else {
    const report = answer as Report;
    if (report.toResolve !== undefined) throw new StateError(`${domain.name}: ${report.toResolve}`, report.state);
    if (!asFarAs) refusePart(report);
    isSo = isAsWanted(report);
    tell({ outcome: isSo ? "unchanged" : "planned", report });
  }
  // Of what is so already nothing more is done: what there is to say of it, is said now.
  if (options.dryRun !== true && !isSo) throw new PlanEnd(name);
  return answer;
};

/** A revert does what can be done, and leaves the rest. @throws RefusedError with what would be left */
function refusePart(report: Report): void {
  const left = report.changes.flatMap(({ dynamic: { outcome, wanted, reason } }) =>
    outcome === "skipped" && wanted !== null && reason !== undefined ? [{ leg: "dynamic" as const, reason }] : [],
  );
  if (left.length > 0) throw new RefusedError({ ...report, outcome: "refused", refusals: left });
}

/** What an action needs to find, by the state of the machine: `null` means that it can be done, and true that it is so already. */
type Look = (info: DomainInfo, options: { readonly paused?: boolean; readonly disable?: boolean }) => boolean | null | string;

const notStopped = "it does not run";

const LOOKS: Readonly<Record<string, Look>> = {
  start: ({ state }, { paused = false }) =>
    state === "stopped" ? null : state === (paused ? "paused" : "running") ? true : `it runs already, and is ${state}`,
  restart: () => null,
  shutdown: ({ state }) =>
    state === "stopped"
      ? true
      : ["running", "shutdown"].includes(state)
        ? null
        : `it is ${state}, and a guest that does not run can't shut down`,
  destroy: ({ state }) => (state === "stopped" ? true : null),
  reset: ({ state }) => (state === "stopped" ? notStopped : null),
  suspend: ({ state }) => (state === "stopped" ? notStopped : state === "paused" ? true : state === "running" ? null : `it is ${state}`),
  resume: ({ state }) => (state === "stopped" ? notStopped : state === "running" ? true : null),
  rewrite: () => null,
  // What is there already may be an older one.
  autostart: ({ autostart = false }, { disable = false }) => (disable && !autostart ? true : null),
  undefine: ({ state }) =>
    state === "stopped" ? null : state === "damaged" ? null : `it is ${state}, and only a stopped domain can be undefined`,
};

/** What an action may find that is not known for sure: ending such a machine is what it is for. */
const UNSURE: ReadonlySet<string> = new Set(["destroy", "undefine"]);

const look: Plan = async (domain, name, args, tell) => {
  const { signal, timeout, ...options } = (args.at(-1) ?? {}) as Options & { readonly paused?: boolean; readonly disable?: boolean };
  const check = LOOKS[name];
  if (check === undefined) throw new QmpctlError("refused", `${name}: can't be planned, and so not be done over a fleet`);
  const info = await domain.info({ signal, ...(timeout === undefined ? {} : { timeout }) });
  const { state, reason, interrupted } = info;
  const why = reason === undefined ? "" : `: ${reason}`;
  if (["unreachable", "damaged", "unsafe"].includes(state) && !UNSURE.has(name))
    throw new StateError(`${domain.name}: ${state}${why}`, state);
  if (interrupted !== undefined && name !== "destroy" && name !== "shutdown")
    throw new StateError(
      `${domain.name}: ${interrupted}; resolve it first: qmpctl recover ${shellWord(domain.name)} --finish, or --undo, or --forget`,
      state,
    );
  const found = check(info, options);
  if (typeof found === "string") throw new StateError(`${domain.name}: ${found}`, state);
  tell({ outcome: found === true ? "unchanged" : "planned" });
  throw new PlanEnd(name);
};
