import type { Session } from "../qmp/session.ts";
import type { Report } from "./change/change-report.ts";
import type { Interrupted } from "./change/interrupted-error.ts";
import type { LockedOptions } from "./change/locked-options.ts";
import type { Wanted, WorkedOut } from "./change/transaction.ts";
import type { EndPoint, RevertOptions } from "./end-point.ts";
import { withMoment } from "./ends/with-moment.ts";
import type { UndefineReport } from "./lifecycle/define.ts";
import type { Recovery, RecoveryReport } from "./lifecycle/recover.ts";
import type { RewriteReport } from "./lifecycle/rewrite.ts";
import type { Place } from "./machine/place.ts";
import type { AutostartOptions, AutostartReport, MemoryOptions, MonitorOptions, ReadOptions, StartOptions } from "./model/action.ts";
import type { StartReport, StopOptions, StopReport, Unit, UnitOptions } from "./model/action.ts";
import type { ChangeOptions } from "./model/change.ts";
import { StateError } from "./model/errors.ts";
import type { Change, WantedAllocation } from "./resources/registry.ts";
import type { DiffRow, DiskInfo, DomainInfo, DomainStats, MemoryStatistics, ThreadInfo, VcpuInfo } from "./views/answers.ts";
import type { History, HistoryOptions } from "./views/history.ts";

type HalfOptions = Omit<RevertOptions, "end">;

/** A domain on this host. What a call needs is loaded with the first such call, so that a command line starts quickly. */
export class LocalEndPoint implements EndPoint {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get name(): string {
    return this.#place.name;
  }

  get configPath(): string | undefined {
    return this.#place.config?.path;
  }

  change(wanted: Change | readonly Change[] | WorkedOut, options: ChangeOptions): Promise<Report> {
    return this.#change("resource" in wanted ? [wanted] : wanted, options);
  }

  async revert({ resource, end, ...options }: RevertOptions): Promise<Report> {
    if (end !== undefined) return (await import("./lifecycle/take-back.ts")).takeBack(this.#place, end, options);
    const { changesOf, changesToRevert } = await import("./views/diff.ts");
    const wanted = changesOf((facts) => changesToRevert(facts), resource);
    return this.#change(Object.assign(wanted, { inPart: true }), { ...options, scope: "dynamic", cancelsEnds: resource ?? "all" });
  }

  async persist({ resource, ...options }: HalfOptions): Promise<Report> {
    const { changesOf, changesToPersist } = await import("./views/diff.ts");
    return this.#change(changesOf(changesToPersist, resource), { ...options, scope: "static", cancelsEnds: resource ?? "all" });
  }

  async apply(wanted: WantedAllocation, options: ChangeOptions): Promise<Report> {
    const { changesOf } = await import("./resources/allocation.ts");
    return this.#change(changesOf(wanted), options);
  }

  async interrupted(options: ReadOptions): Promise<Interrupted | null> {
    return (await import("./lifecycle/recover.ts")).findInterrupted(this.#place, options);
  }

  async recover(how: Recovery, options: ChangeOptions): Promise<RecoveryReport> {
    return (await import("./lifecycle/recover.ts")).recoverDomain(this.#place, how, options);
  }

  async #change(wanted: Wanted, options: LockedOptions): Promise<Report> {
    const [{ changeDomain }, { checkChanges }] = await Promise.all([import("./change/transaction.ts"), import("./change/plan.ts")]);
    // Before the lock is taken: a value that no machine could have leaves nothing behind.
    if (typeof wanted !== "function") checkChanges(wanted);
    return changeDomain(this.#place, wanted, await withMoment(options));
  }

  async info(options: ReadOptions): Promise<DomainInfo> {
    const [{ inspectDomain }, { readGuest }] = await Promise.all([import("./views/inspect.ts"), import("./facts/guest-agent.ts")]);
    return inspectDomain(this.#place, { ...options, readers: [readGuest] });
  }

  async vcpus(options: ReadOptions): Promise<readonly VcpuInfo[]> {
    return (await import("./views/inspect.ts")).inspectVcpus(this.#place, options);
  }

  async disks(options: ReadOptions): Promise<readonly DiskInfo[]> {
    return (await import("./views/disks.ts")).inspectDisks(this.#place, options);
  }

  async threads(options: ReadOptions): Promise<readonly ThreadInfo[]> {
    return (await import("./views/threads.ts")).inspectThreads(this.#place, options);
  }

  async stats(options: ReadOptions): Promise<DomainStats> {
    return (await import("./views/stats.ts")).domainStats(this.#place, options);
  }

  async memory(options: MemoryOptions): Promise<MemoryStatistics> {
    return (await import("./views/memstat.ts")).memoryStatistics(this.#place, options);
  }

  async diff(options: ReadOptions): Promise<readonly DiffRow[]> {
    return (await import("./views/diff.ts")).diffDomain(this.#place, options);
  }

  async history(options: HistoryOptions): Promise<History> {
    return (await import("./views/history.ts")).historyOf(this.#place, options);
  }

  async config(): Promise<string> {
    const { readStored } = await import("./machine/lock.ts");
    const stored = await readStored(this.#place);
    if (stored === null) throw new StateError(`${this.name}: a transient machine has no config`, "unreachable");
    return stored.text;
  }

  async rewrite(text: string, before: string): Promise<RewriteReport> {
    return (await import("./lifecycle/rewrite.ts")).rewriteConfig(this.#place, text, before);
  }

  async undefine(): Promise<UndefineReport> {
    return (await import("./supervise/undefine.ts")).undefineWithUnit(this.#place);
  }

  async start({ wait, ...options }: StartOptions): Promise<StartReport> {
    const { startDomain } = await import("./lifecycle/start.ts");
    if (wait === undefined) return startDomain(this.#place, options);
    const { startAndWait } = await import("./supervise/start-and-wait.ts");
    return startAndWait(this.#place, wait, options, (own) => startDomain(this.#place, own));
  }

  async unit(options: UnitOptions): Promise<Unit> {
    return (await import("./supervise/unit.ts")).unitOfDomain(this.#place, options);
  }

  async autostart(options: AutostartOptions): Promise<AutostartReport> {
    return (await import("./supervise/autostart.ts")).setAutostart(this.#place, options);
  }

  async shutdown(options: StopOptions): Promise<StopReport> {
    return (await import("./lifecycle/stop.ts")).shutdownMachine(this.#place, options);
  }

  async destroy(options: StopOptions): Promise<StopReport> {
    return (await import("./lifecycle/stop.ts")).destroyMachine(this.#place, options);
  }

  async restart({ wait, ...options }: StartOptions & StopOptions): Promise<StartReport> {
    const { restartMachine } = await import("./lifecycle/restart.ts");
    if (wait === undefined) return restartMachine(this.#place, options);
    const { startAndWait } = await import("./supervise/start-and-wait.ts");
    return startAndWait(this.#place, wait, options, (own) => restartMachine(this.#place, own));
  }

  async reset(options: ReadOptions): Promise<void> {
    return (await import("./lifecycle/power.ts")).resetMachine(this.#place, options);
  }

  async suspend(options: ReadOptions): Promise<void> {
    return (await import("./lifecycle/power.ts")).suspendMachine(this.#place, options);
  }

  async resume(options: ReadOptions): Promise<void> {
    return (await import("./lifecycle/power.ts")).resumeMachine(this.#place, options);
  }

  async connect(options: MonitorOptions): Promise<Session> {
    return (await import("./machine/connect.ts")).connectMachine(this.#place, options);
  }
}
