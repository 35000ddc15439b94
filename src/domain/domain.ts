/// <reference lib="esnext.disposable" preserve="true" />
import type { Session } from "../qmp/session.ts";
import type { Report } from "./change/change-report.ts";
import type { Interrupted } from "./change/interrupted-error.ts";
import type { WorkedOut } from "./change/plan-asking.ts";
import { type EndPoint, openElsewhere, type RevertOptions } from "./end-point.ts";
import type { DefineOptions, DefineSource, UndefineReport } from "./lifecycle/define.ts";
import type { Recovery, RecoveryReport } from "./lifecycle/recover.ts";
import type { RewriteReport } from "./lifecycle/rewrite.ts";
import { LocalEndPoint } from "./local.ts";
import type { DomainOptions } from "./machine/place.ts";
import type { AutostartOptions, AutostartReport, MemoryOptions, MonitorOptions, ReadOptions, StartOptions } from "./model/action.ts";
import type { StartReport, StopOptions, StopReport, Unit, UnitOptions } from "./model/action.ts";
import type { ChangeOptions } from "./model/change.ts";
import type { Change, Resource, WantedAllocation } from "./resources/registry.ts";
import type { DiffRow, DiskInfo, DomainInfo, DomainStats, MemoryStatistics, ThreadInfo, VcpuInfo } from "./views/answers.ts";
import type { History, HistoryOptions } from "./views/history.ts";

let made: (at: EndPoint) => Domain;

/** A domain at an end point. */
export const domainAt = (at: EndPoint): Domain => made(at);

/**
 * One domain: a launch config and the QEMU that may run it, or a QEMU without a config, known by its monitor. It holds no state, and no
 * connection but to another host. Each call reads what is, and others may change the domain in between.
 */
export class Domain {
  readonly #at: EndPoint;

  private constructor(at: EndPoint) {
    this.#at = at;
  }

  static {
    made = (at) => new Domain(at);
  }

  /**
   * Opens a domain by its name, the path of its config, or the address of its monitor as `connect` takes it (`unix:/run/x.sock`,
   * `tcp:127.0.0.1:4444`, `exec:ssh host socat - UNIX-CONNECT:/run/x.sock`). The vCPUs of a QEMU on another host can't be pinned.
   * A domain of another host is `ssh://HOST/NAME`: it is worked on there, over the user's own OpenSSH, until it is disposed of.
   *
   * @throws UnreachableError when its host can't be worked with; ConfigError without such a config; UsageError when the name can't be one
   */
  static async open(name: string, options: DomainOptions = {}): Promise<Domain> {
    if (/^ssh:\/\//i.test(name)) return new Domain(await openElsewhere(name, options));
    const [{ placeOf }, { mustExist }] = await Promise.all([import("./machine/place.ts"), import("../config/store.ts")]);
    const place = await placeOf(name, options);
    if (place.config !== null) await mustExist(place.config);
    return new Domain(new LocalEndPoint(place));
  }

  /**
   * Defines a domain from a config file, a QEMU command line, or a running process.
   *
   * @throws UsageError for no QEMU, or no name; ConfigError for a wrong config, or if there is one; StateError for another's; LockedError
   */
  static async define(
    source: DefineSource,
    options: DefineOptions = {},
  ): Promise<{ readonly domain: Domain; readonly notes: readonly string[] }> {
    const { defineDomain } = await import("./lifecycle/define.ts");
    const { place, notes } = await defineDomain(source, options);
    return { domain: new Domain(new LocalEndPoint(place)), notes };
  }

  /** Its name; the address of its monitor for a transient domain. */
  get name(): string {
    return this.#at.name;
  }

  /** The path of the config; undefined for a transient domain. */
  get configPath(): string | undefined {
    return this.#at.configPath;
  }

  /**
   * Makes one change or several as one: one plan, one lock, one commit, undone together. Resolves when it is so, or is `pending`.
   *
   * @throws RefusedError if nothing was touched; ChangeError (rolled back, partial) with the report; InterruptedError; LockedError; others
   */
  change(wanted: Change | readonly Change[] | WorkedOut, options: ChangeOptions = {}): Promise<Report> {
    return this.#at.change(wanted, options);
  }

  /** The guest's memory, in bytes, by its balloon. See `change`. */
  setMemory(size: number, options?: ChangeOptions): Promise<Report> {
    return this.change({ resource: "memory", size }, options);
  }

  /** The memory that QEMU gives the machine at start, in bytes. See `change`. */
  setMaxMemory(size: number, options?: ChangeOptions): Promise<Report> {
    return this.change({ resource: "max-memory", size }, options);
  }

  /** How many vCPUs the machine has. See `change`. */
  setVcpus(count: number, options?: ChangeOptions): Promise<Report> {
    return this.change({ resource: "vcpus", count }, options);
  }

  /** How many vCPUs there is room for. See `change`. */
  setMaxVcpus(count: number, options?: ChangeOptions): Promise<Report> {
    return this.change({ resource: "max-vcpus", count }, options);
  }

  /** The host CPUs that a vCPU may run on: a Linux CPU list, or `all`. See `change`. */
  pinVcpu(vcpu: number, cpus: string, options?: ChangeOptions): Promise<Report> {
    return this.change({ resource: "vcpu-pin", vcpu, cpus }, options);
  }

  /** Makes live equal the config: all, one `resource`, or what a change (`end`) left. @throws ChangeError `partial`; as `change` does */
  revert(options: RevertOptions = {}): Promise<Report> {
    return this.#at.revert(options);
  }

  /** Makes the config equal to the running machine, all of it or one `resource`. See `change`. @throws as `change` does */
  persist(options: ChangeOptions & { readonly resource?: Resource | undefined } = {}): Promise<Report> {
    return this.#at.persist(options);
  }

  /** Makes the domain what is wanted; what is so already stays. @throws UsageError if it is no allocation; as `change` does */
  apply(wanted: WantedAllocation, options: ChangeOptions = {}): Promise<Report> {
    return this.#at.apply(wanted, options);
  }

  /** The change that a dead writer left half done, and how both halves stand; null if there is none. @throws LockedError; ConfigError */
  interrupted(options: ReadOptions = {}): Promise<Interrupted | null> {
    return this.#at.interrupted(options);
  }

  /** Resolves an interrupted change: both halves as wanted, as they were, or left so. @throws StateError if none is; as `change` does */
  recover(how: Recovery, options: ChangeOptions = {}): Promise<RecoveryReport> {
    return this.#at.recover(how, options);
  }

  /** The state, sizes and counts of both halves. A machine that does not answer is `unreachable`, with the reason. @throws ConfigError */
  info(options: ReadOptions = {}): Promise<DomainInfo> {
    return this.#at.info(options);
  }

  /** Every vCPU: its thread, mask, pin and use. @throws ConfigError */
  vcpus(options: ReadOptions = {}): Promise<readonly VcpuInfo[]> {
    return this.#at.vcpus(options);
  }

  /** Every disk and drive: its name, what is in it, its limits. @throws ConfigError */
  disks(options: ReadOptions = {}): Promise<readonly DiskInfo[]> {
    return this.#at.disks(options);
  }

  /** Every thread of the running QEMU: what it is, its mask, policy and use, and what the config says for it. @throws ConfigError */
  threads(options: ReadOptions = {}): Promise<readonly ThreadInfo[]> {
    return this.#at.threads(options);
  }

  /** What its guest, its balloon and its host say of its memory. @throws ConfigError */
  memory(options: MemoryOptions = {}): Promise<MemoryStatistics> {
    return this.#at.memory(options);
  }

  /** What it has used since its QEMU was started: CPU time, disks, nets; and what it has now. @throws ConfigError */
  stats(options: ReadOptions = {}): Promise<DomainStats> {
    return this.#at.stats(options);
  }

  /** What was done to it: who, when, what, and what became of both halves; the oldest first. @throws ConfigError */
  history(options: HistoryOptions = {}): Promise<History> {
    return this.#at.history(options);
  }

  /** Config, live and guest side by side, and why they differ. @throws ConfigError */
  diff(options: ReadOptions = {}): Promise<readonly DiffRow[]> {
    return this.#at.diff(options);
  }

  /** The text of the config's file. @throws StateError for a transient domain; ConfigError */
  config(): Promise<string> {
    return this.#at.config();
  }

  /** Replaces the config's text, if it still is `before`. @throws ConfigError `changed`, `invalid`; StateError; UsageError; LockedError */
  rewrite(text: string, before: string): Promise<RewriteReport> {
    return this.#at.rewrite(text, before);
  }

  /** Removes the config; of a domain opened by a link to it, only the link. @throws StateError while the machine runs; LockedError */
  undefine(): Promise<UndefineReport> {
    return this.#at.undefine();
  }

  /**
   * Starts the machine in the background: stopped, with pins and balloon applied, then let go. `wait`: until its guest answers.
   *
   * @throws StateError when it runs, or can't start; HostError with QEMU's words; QmpctlError `timeout` when its guest has not answered
   */
  start(options: StartOptions = {}): Promise<StartReport> {
    return this.#at.start(options);
  }

  /** Asks the guest to shut down, and waits for it. @throws StateError if it does not run; QmpctlError `timeout` if it ignores that */
  shutdown(options: StopOptions = {}): Promise<StopReport> {
    return this.#at.shutdown(options);
  }

  /** Ends the machine at once, without its lock. @throws StateError if it does not run; QmpctlError `timeout` if it does not end */
  destroy(options: StopOptions = {}): Promise<StopReport> {
    return this.#at.destroy(options);
  }

  /** A shutdown and a start, with the config as it is now. @throws as both do; QmpctlError `partial` if it could not be started again */
  restart(options: StartOptions & StopOptions = {}): Promise<StartReport> {
    return this.#at.restart(options);
  }

  /** Resets the machine: the same QEMU goes on, and static changes still wait for the next start. @throws as `suspend` does */
  reset(options: ReadOptions = {}): Promise<void> {
    return this.#at.reset(options);
  }

  /** Freezes the guest. @throws StateError if it does not run, or its state does not allow it; LockedError */
  suspend(options: ReadOptions = {}): Promise<void> {
    return this.#at.suspend(options);
  }

  /** Lets a frozen guest go on, or wakes one that sleeps. @throws as `suspend` does */
  resume(options: ReadOptions = {}): Promise<void> {
    return this.#at.resume(options);
  }

  /** A unit of systemd for it. @throws StateError for a transient domain, or without a program that stays; ConfigError */
  unit(options: UnitOptions = {}): Promise<Unit> {
    return this.#at.unit(options);
  }

  /** Whether it starts with the host: installs its unit, or removes it. @throws StateError without systemd, or if the unit was edited */
  autostart(options: AutostartOptions = {}): Promise<AutostartReport> {
    return this.#at.autostart(options);
  }

  /** A session on one of its monitors, for QMP of the caller's own. @throws StateError if it does not run; as `connect` does */
  connect(options: MonitorOptions = {}): Promise<Session> {
    return this.#at.connect(options);
  }

  /** Closes the connection to another host; for a domain of this one there is nothing to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    return this.#at.close?.();
  }
}
