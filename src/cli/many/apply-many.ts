import { now } from "../../deadline.ts";
import type { Report } from "../../domain/change/change-report.ts";
import type { ChangeOptions } from "../../domain/model/change.ts";
import { StateError } from "../../domain/model/errors.ts";
import { type Begun, type Ended, endedBadly, endedWell, isAsWanted, slim, withoutWayBack } from "../../remote/fleet/ended.ts";
import { isGood, overallOf } from "../../remote/fleet/target.ts";
import { evidenceOf } from "../failure.ts";
import { exitCodeOfFleet } from "../fleet/fleet-call.ts";
import { FleetProgressLine } from "../fleet/fleet-progress.ts";
import { toJson } from "../output.ts";
import type { Call } from "../verb.ts";
import { applyFile } from "./apply-file.ts";
import { type FileFor, filesIn, readFiles } from "./files.ts";
import type { ManyReport, ManyTarget } from "./many-report.ts";
import { showMany } from "./show-many.ts";

/** What the changes of all files are made with. */
export interface ManyCall {
  readonly call: Call<never, never>;
  readonly options: ChangeOptions;
  readonly read: (path: string) => Promise<string>;
}

/**
 * Applies files, each for the domain that it is called by. All are planned first: if one is refused, nothing is touched, unless
 * `--where-possible`. After a failure no more are begun (`--stop-after`). Resolves with the exit code.
 *
 * @throws UsageError where a file is wrong: then no domain was asked
 */
export async function applyMany({ call, options, read }: ManyCall): Promise<number> {
  const start = now();
  const { files, skipped } = filesIn(call.args.operands);
  const wanted = await readFiles(files, read);
  const work = new Work(call, options, wanted);
  {
    using line = new FleetProgressLine(call.io);
    await work.plan((done) => line.show(`${done} of ${wanted.length} planned`));
    if (options.dryRun !== true && work.mayBegin()) await work.make((done) => line.show(`${done} of ${wanted.length} done`));
  }
  const report = work.report({ skipped, elapsed: Math.round(now() - start) });
  if (call.args.flag("json")) call.io.stdout.write(`${toJson(printed(report))}\n`);
  else showMany(report, call);
  return exitCodeOfFleet(report.outcome);
}

/** The same for programs: errors by their evidence. */
function printed({ targets, ...rest }: ManyReport): object {
  return {
    ...rest,
    targets: targets.map(({ error, ...target }) => {
      if (error === undefined) return target;
      const { report: _, ...evidence } = evidenceOf(error);
      return { ...target, error: evidence };
    }),
  };
}

class Work {
  readonly #call: Call<never, never>;
  readonly #options: ChangeOptions;
  readonly #files: readonly FileFor[];
  readonly #ends: Ended[];

  constructor(call: Call<never, never>, options: ChangeOptions, files: readonly FileFor[]) {
    this.#call = call;
    this.#options = options;
    this.#files = files;
    this.#ends = files.map(() => ({ outcome: "not-begun" }));
  }

  get #signal(): AbortSignal {
    return this.#call.io.signal;
  }

  async plan(tell: (done: number) => void): Promise<void> {
    for (const [at, file] of this.#files.entries()) {
      if (this.#signal.aborted) return;
      this.#ends[at] = await this.#ended(
        "no",
        () => this.#apply(file, { dryRun: true }),
        (report) => this.#planned(report),
      );
      tell(at + 1);
    }
  }

  #planned(report: Report): Ended {
    if (report.toResolve !== undefined) throw new StateError(`${report.domain}: ${report.toResolve}`, report.state);
    return { outcome: isAsWanted(report) ? "unchanged" : "planned", report: slim(report, this.#options.dryRun === true) };
  }

  /** Whether anything is to be touched. */
  mayBegin(): boolean {
    if (this.#signal.aborted) return false;
    return this.#call.many?.wherePossible === true || this.#ends.every(isGood);
  }

  async make(tell: (done: number) => void): Promise<void> {
    let left = this.#call.many?.stopAfter ?? 1;
    for (const [at, file] of this.#files.entries()) {
      if (this.#ends[at]?.outcome !== "planned") continue;
      const isOver = left <= 0 || this.#signal.aborted;
      const end = isOver
        ? ({ outcome: "not-begun" } as const)
        : await this.#ended(
            "with a key",
            () => this.#apply(file, { takeBack: true }),
            (report) => endedWell("apply", report, file.domain),
          );
      this.#ends[at] = end;
      if (!isGood(end)) left--;
      tell(at + 1);
    }
  }

  async #apply({ domain: name, wanted }: FileFor, more: ChangeOptions): Promise<Report> {
    await using domain = await this.#call.facade.open(name);
    return await applyFile(domain, wanted, { ...this.#options, ...more });
  }

  async #ended(begun: Begun, work: () => Promise<Report>, end: (report: Report) => Ended): Promise<Ended> {
    try {
      return end(await work());
    } catch (error) {
      const address = this.#call.host ?? "";
      return endedBadly(error, { member: { name: address, address }, signal: this.#signal, begun });
    }
  }

  /** What became of each. What is done stays, so the way back is told only where something failed. */
  report(more: Pick<ManyReport, "skipped" | "elapsed">): ManyReport {
    const isInterrupted = this.#signal.aborted;
    const dryRun = this.#options.dryRun === true;
    const all = this.#files.map(({ domain, file }, at): ManyTarget => ({ domain, file, ...(this.#ends[at] ?? { outcome: "not-begun" }) }));
    const settled = all.map((each) =>
      isInterrupted && each.outcome === "planned" && !dryRun ? { ...each, outcome: "not-begun" as const } : each,
    );
    const outcome = overallOf(settled, { dryRun, isInterrupted });
    const tellsBack = !["done", "planned", "pending"].includes(outcome);
    return { outcome, targets: tellsBack ? settled : settled.map(withoutWayBack), ...more };
  }
}
