import type { Report } from "./change/change-report.ts";
import type { WorkedOut } from "./change/plan-asking.ts";
import type { DefineSource, UndefineReport } from "./lifecycle/define.ts";
import type { Imported, ImportSource } from "./lifecycle/import/import-source.ts";
import type { Recovery, RecoveryReport } from "./lifecycle/recover.ts";
import type { RewriteReport } from "./lifecycle/rewrite.ts";
import type { Adoption } from "./lifecycle/running/adopt.ts";
import type { RunningQemu } from "./lifecycle/running/running-qemu.ts";
import type { AutostartOptions, AutostartReport, MemoryOptions, ReadOptions, RunOptions, RunReport } from "./model/action.ts";
import type { StartOptions, StartReport, StopOptions, StopReport, Unit, UnitOptions } from "./model/action.ts";
import type { ChangeOptions } from "./model/change.ts";
import type { Change, Resource } from "./resources/registry.ts";
import type { WantedAllocation } from "./resources/registry.ts";
import type { DiffRow, DiskInfo, DomainInfo, DomainStats, MemoryStatistics, ThreadInfo, VcpuInfo } from "./views/answers.ts";
import type { History, HistoryOptions } from "./views/history.ts";
import type { Sample, SampleOptions } from "./views/sample.ts";

/** What `define` made: the name, the file, and notes for the user. */
export interface Defined {
  readonly domain: { readonly name: string; readonly configPath: string | undefined };
  readonly notes: readonly string[];
}

/** One event as QEMU sends it. */
export interface MonitorEvent {
  readonly event: string;
  readonly data?: unknown;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** What the verbs `qmp` (with its shell) and `events` need of a QMP session. */
export interface Monitor extends AsyncDisposable {
  /** The address of the monitor, such as `unix:/run/qmpctl/web1/watch.sock`. */
  readonly address?: string;
  execute(command: string, args: Record<string, unknown> | undefined, options: ReadOptions): Promise<unknown>;
  /** Sends a request unchanged and resolves with the whole reply. */
  exchange(request: Readonly<Record<string, unknown>>, options: ReadOptions): Promise<Readonly<Record<string, unknown>>>;
  events(): AsyncIterable<MonitorEvent> & Disposable;
}

/** Options of `revert`. */
export interface RevertOptions extends ChangeOptions {
  /** Only this one. */
  readonly resource?: Resource | undefined;
  /** Only what a change with an end has left, by its key: that end comes now. */
  readonly end?: string | undefined;
}

/** What the verbs need of a domain. The library's `Domain` has all of it. In a test it is a literal. */
export interface Domain extends AsyncDisposable {
  readonly name: string;
  change(change: Change | readonly Change[] | WorkedOut, options: ChangeOptions): Promise<Report>;
  revert(options: RevertOptions): Promise<Report>;
  persist(options: ChangeOptions & { readonly resource?: Resource | undefined }): Promise<Report>;
  apply(wanted: WantedAllocation, options: ChangeOptions): Promise<Report>;
  recover(how: Recovery, options: ChangeOptions): Promise<RecoveryReport>;
  info(options: ReadOptions): Promise<DomainInfo>;
  vcpus(options: ReadOptions): Promise<readonly VcpuInfo[]>;
  disks(options: ReadOptions): Promise<readonly DiskInfo[]>;
  threads(options: ReadOptions): Promise<readonly ThreadInfo[]>;
  memory(options: MemoryOptions): Promise<MemoryStatistics>;
  stats(options: ReadOptions): Promise<DomainStats>;
  diff(options: ReadOptions): Promise<readonly DiffRow[]>;
  history(options: HistoryOptions): Promise<History>;
  config(): Promise<string>;
  rewrite(text: string, before: string): Promise<RewriteReport>;
  start(options: StartOptions): Promise<StartReport>;
  restart(options: StartOptions & StopOptions): Promise<StartReport>;
  shutdown(options: StopOptions): Promise<StopReport>;
  destroy(options: StopOptions): Promise<StopReport>;
  reset(options: ReadOptions): Promise<void>;
  suspend(options: ReadOptions): Promise<void>;
  resume(options: ReadOptions): Promise<void>;
  undefine(): Promise<UndefineReport | void>;
  unit(options: UnitOptions): Promise<Unit>;
  autostart(options: AutostartOptions): Promise<AutostartReport>;
  connect(options: ReadOptions & { readonly monitor?: "control" | "watch" | "any" }): Promise<Monitor>;
}

/**
 * What became of a change that was asked from another host. `done`, `failed`: it ended so. `under-way`: it has not ended when it had to.
 * `interrupted`: it had begun, and its process died. `unknown`: it never began, or nothing is known of it any more.
 */
export type Ended =
  | { readonly state: "interrupted" | "unknown" | "under-way" }
  | { readonly state: "done"; readonly value: unknown }
  | { readonly state: "failed"; readonly failure: Failure };

/** An error as it was kept: its message, its code, and its evidence. */
interface Failure {
  readonly message: string;
  readonly code?: string | undefined;
  readonly evidence?: Readonly<Record<string, unknown>> | undefined;
}

/** How a domain is defined. */
export interface DefineWords {
  readonly name?: string;
  readonly replace?: boolean;
  readonly force?: boolean;
}

/** How the QEMUs of a host are adopted. */
export interface AdoptWords {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** The library as the verbs see it. */
export interface Facade {
  /** The domains are of another host, and so are the files that they name. */
  readonly isElsewhere?: true;
  open(name: string): Promise<Domain>;
  define(source: DefineSource, options: DefineWords): Promise<Defined>;
  /** Starts a machine, and waits for its end. Absent where nobody can: a machine of another host would end with the connection. */
  run?(name: string, options: RunOptions): Promise<RunReport>;
  list(options: ReadOptions & { readonly all?: boolean }): Promise<readonly DomainInfo[]>;
  /** A look at the host and all its machines, in a row of them: each has some QEMUs asked for those that follow. */
  sample(options: SampleOptions): Promise<Sample>;
  /** Every QEMU that runs there, whoever started it. */
  running(options: ReadOptions): Promise<readonly RunningQemu[]>;
  /** Makes domains of those that nobody manages. */
  adopt(options: AdoptWords): Promise<readonly Adoption[]>;
  /** Makes a domain of a machine of libvirt's or Proxmox's. */
  takeOver(source: ImportSource, options: DefineWords & AdoptWords): Promise<Imported>;
  /** What became of a change that was asked from another host, by its key. */
  outcome(key: string, options: ReadOptions): Promise<Ended>;
}
