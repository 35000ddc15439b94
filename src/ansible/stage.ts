import type { Report } from "../domain/change/change-report.ts";
import type { Domain } from "../domain/domain.ts";
import { stillRuns } from "../domain/lifecycle/define.ts";
import { mustBeUp } from "../domain/lifecycle/power-off.ts";
import { refused } from "../domain/lifecycle/power.ts";
import { StateError } from "../domain/model/errors.ts";
import { nameOf } from "../domain/resources/registry.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";
import type { Done } from "./account.ts";
import { difference, differencesOf } from "./differences.ts";
import { keptOnHost, patienceFor, type Steps } from "./kept.ts";
import type { Stage } from "./stages.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Wanted } from "./wanted.ts";

/** What a stage works on: the domain as it was looked at before the first of them. */
export interface Work {
  readonly domain: Domain;
  readonly before: DomainInfo;
  readonly wanted: Wanted;
  readonly around: Surroundings;
}

/** Does one stage, or tells what it would do. @throws what the library's verb throws */
export async function doStage(stage: Stage, work: Work): Promise<Done> {
  if (stage.does === "refuse") throw refusal(stage.why, work);
  if (stage.does === "apply") return apply(stage, work);
  const { action, words, then, check, run } = powerStage(stage, work);
  const { name, state } = work.before;
  const differences = work.around.diff ? [difference(`${name}: state`, `state: ${state}\n`, `state: ${then}\n`)] : [];
  if (work.around.check) {
    check();
    return { action, words, changed: true, differences };
  }
  const { startTimeout = 60_000, shutdownTimeout = 60_000 } = work.wanted;
  const asked = { domain: work.domain.name, request: { what: action }, patience: patienceFor(startTimeout + shutdownTimeout) };
  const { value, key } = await keptOnHost(work.around, asked, async ({ begun }) => {
    await begun();
    return run();
  });
  const notes = (value as { readonly notes?: readonly string[] } | undefined)?.notes ?? [];
  return {
    action,
    words,
    changed: true,
    notes,
    differences,
    ...(value === undefined ? {} : { report: value }),
    ...(key === null ? {} : { key }),
  };
}

async function apply({ scope, changes }: Extract<Stage, { does: "apply" }>, { domain, wanted, around }: Work): Promise<Done> {
  const { check: dryRun, signal, diff } = around;
  const change = ({ begun, keep }: Steps): Promise<Report> =>
    domain.change(changes, { ...wanted.effort, scope, dryRun, signal, onBegun: begun, onEnded: keep });
  const { timeout, undoTimeout } = wanted.effort;
  const asked = { domain: domain.name, request: { what: "change", changes, scope }, patience: patienceFor(timeout, undoTimeout) };
  const { value: report, key } = await keptOnHost(around, asked, change);
  const { outcome, steps, config, notes } = report;
  const changed =
    outcome === "planned" ? steps.length > 0 || (config !== undefined && config.before !== config.after) : outcome !== "unchanged";
  return {
    ...{ action: "apply", changed, report, notes, words: wordsOf(report, changed), pending: outcome === "pending" },
    ...(key === null ? {} : { key }),
    ...(diff ? { differences: differencesOf(report) } : {}),
  };
}

function wordsOf({ changes, outcome }: Report, changed: boolean): string {
  const touched = changes.filter(({ static: config, dynamic }) =>
    [config, dynamic].some(({ wanted, before }) => wanted !== null && wanted !== before),
  );
  const names = touched.map(({ change }) => nameOf(change)).join(", ");
  return !changed ? "its allocation is so already" : `${names === "" ? "its allocation" : names} ${outcome}`;
}

interface PowerStage {
  readonly action: string;
  readonly words: string;
  /** Its state after it. */
  readonly then: string;
  /** What of the refusals a look can tell. */
  check(): void;
  run(): Promise<unknown>;
}

function powerStage(stage: Exclude<Stage, { does: "apply" | "refuse" }>, { domain, before, wanted, around: { signal } }: Work): PowerStage {
  const { startTimeout, shutdownTimeout } = wanted;
  const limit = (timeout: number | undefined): { signal: AbortSignal; timeout?: number } => ({
    signal,
    ...(timeout === undefined ? {} : { timeout }),
  });
  const both =
    startTimeout === undefined && shutdownTimeout === undefined ? undefined : (startTimeout ?? 60_000) + (shutdownTimeout ?? 60_000);
  const none = (): void => {};
  const mayShutDown = (): void => mustBeUp(domain.name, before.status ?? "running");
  switch (stage.does) {
    case "start":
      return {
        ...{ action: "start", words: stage.paused ? "started, and paused" : "started", then: stage.paused ? "paused" : "running" },
        check: () => mustNotBeHindered(before),
        run: () => domain.start({ ...limit(startTimeout), paused: stage.paused }),
      };
    case "restart":
      return {
        action: "restart",
        words: "restarted",
        then: "running, restarted",
        check: mayShutDown,
        run: () => domain.restart(limit(both)),
      };
    case "shutdown":
      return {
        action: "shutdown",
        words: "shut down",
        then: "stopped",
        check: mayShutDown,
        run: () => domain.shutdown(limit(shutdownTimeout)),
      };
    case "destroy":
      return { action: "destroy", words: "destroyed", then: "stopped", check: none, run: () => domain.destroy({ signal }) };
    case "resume":
      return { action: "resume", words: "resumed", then: "running", check: none, run: () => domain.resume({ signal }) };
    case "suspend":
      return { action: "suspend", words: "paused", then: "paused", check: none, run: () => domain.suspend({ signal }) };
    case "undefine":
      return {
        ...{ action: "undefine", words: "its config was removed", then: "absent", run: () => domain.undefine() },
        check: () => {
          if (before.state !== "stopped" && !wanted.force) throw stillRuns(domain.name, before.pid ?? null);
        },
      };
  }
}

function mustNotBeHindered({ name, reason }: DomainInfo): void {
  if (reason !== undefined) throw new StateError(`${name}: ${reason}`, "stopped");
}

function refusal(why: "stuck" | "unreachable", { before, wanted, domain: { name } }: Work): StateError {
  const { state, status, reason } = before;
  if (why === "stuck") return refused(name, status ?? state, `and state=${wanted.state} does not decide what to do about that`);
  return new StateError(`${name}: it is ${state}, which is not stopped${reason === undefined ? "" : `: ${reason}`}`, "unreachable");
}
