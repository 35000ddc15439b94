import type { WorkedOut } from "../../domain/change/plan-asking.ts";
import type { Domain } from "../../domain/facade.ts";
import type { Recovery } from "../../domain/lifecycle/recover.ts";
import type { DefineSource } from "../../domain/lifecycle/source.ts";
import type { ReadOptions, StartOptions, StopOptions } from "../../domain/model/action.ts";
import type { ChangeOptions } from "../../domain/model/change.ts";
import type { Change, Resource, WantedAllocation } from "../../domain/resources/registry.ts";
import type { DiffRow } from "../../domain/resources/row.ts";
import type { DomainInfo } from "../../domain/views/inspect.ts";
import type { FleetAnswer } from "./ask-fleet.ts";
import type { FleetOptions } from "./campaign.ts";
import type { Crew } from "./crew.ts";
import type { FleetEvent, FleetEventOptions } from "./fleet-events.ts";
import type { FleetConnectOptions } from "./fleet-parts.ts";
import type { FleetReport } from "./target.ts";

/** What all that reads over a fleet takes. */
export type FleetReadOptions = ReadOptions & Pick<FleetOptions, "atOnce">;

type Over<Options> = Omit<Options, "onProgress" | "onBegun" | "onEnded" | "takeBack" | "onAsked" | "onStopped"> & FleetOptions;

const parts = (): Promise<typeof import("./fleet-parts.ts")> => import("./fleet-parts.ts");

/**
 * Many hosts, each reached by the user's own OpenSSH. All that changes something is planned on every host before anything is touched; what
 * became of each target is in one report, whatever happened: such a call rejects only when the call itself is wrong.
 * `domain` is a name that each host is to have, or a pattern of names with `*` and `?`.
 *
 * A connection is made with the first call for its host, and kept until the fleet is disposed of; in a fleet of more than 64 hosts it is
 * closed when the host is done.
 */
export class Fleet implements AsyncDisposable {
  readonly #crew: Crew;

  private constructor(crew: Crew) {
    this.#crew = crew;
  }

  /**
   * The fleet of a list of hosts, as `kvm[01-20],@edge`. Nothing is asked of the hosts yet.
   *
   * @throws UsageError when it is no such list, or a group is not known; HostError when the inventory can't be read; ConfigError for the
   * `hosts` file
   */
  static async connect(hosts: string, options: FleetConnectOptions = {}): Promise<Fleet> {
    return new Fleet(await (await parts()).crewOf(hosts, options));
  }

  /** The fleet of these hosts, each as `root@kvm1:2222`. @throws UsageError for what can't be a host */
  static async of(hosts: readonly string[], options: FleetConnectOptions = {}): Promise<Fleet> {
    return new Fleet(await (await parts()).crewFrom(hosts, options));
  }

  /** The names of the hosts, as in reports. */
  get hosts(): readonly string[] {
    return this.#crew.members.map(({ name }) => name);
  }

  /** Makes one change of each domain, or several as one. See `Domain.change`. @throws UsageError when nothing is meant */
  change(domain: string, wanted: Change | readonly Change[] | WorkedOut, options: Over<ChangeOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.change(wanted, own));
  }

  /** The guest's memory, in bytes, by its balloon. See `change`. */
  setMemory(domain: string, size: number, options?: Over<ChangeOptions>): Promise<FleetReport> {
    return this.change(domain, { resource: "memory", size }, options);
  }

  /** The memory that QEMU gives the machine at start, in bytes. See `change`. */
  setMaxMemory(domain: string, size: number, options?: Over<ChangeOptions>): Promise<FleetReport> {
    return this.change(domain, { resource: "max-memory", size }, options);
  }

  /** How many vCPUs the machine has. See `change`. */
  setVcpus(domain: string, count: number, options?: Over<ChangeOptions>): Promise<FleetReport> {
    return this.change(domain, { resource: "vcpus", count }, options);
  }

  /** How many vCPUs there is room for. See `change`. */
  setMaxVcpus(domain: string, count: number, options?: Over<ChangeOptions>): Promise<FleetReport> {
    return this.change(domain, { resource: "max-vcpus", count }, options);
  }

  /** The host CPUs that a vCPU may run on: a Linux CPU list, or `all`. See `change`. */
  pinVcpu(domain: string, vcpu: number, cpus: string, options?: Over<ChangeOptions>): Promise<FleetReport> {
    return this.change(domain, { resource: "vcpu-pin", vcpu, cpus }, options);
  }

  /** Makes each domain what is wanted. See `Domain.apply` and `change`. */
  apply(domain: string, wanted: WantedAllocation, options: Over<ChangeOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.apply(wanted, own));
  }

  /** Makes each running machine equal to its config. See `Domain.revert` and `change`. */
  revert(domain: string, options: Over<ChangeOptions> & { readonly resource?: Resource | undefined } = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.revert(own));
  }

  /** Makes each config equal to its running machine. See `Domain.persist` and `change`. */
  persist(domain: string, options: Over<ChangeOptions> & { readonly resource?: Resource | undefined } = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.persist(own));
  }

  /** Resolves an interrupted change of each domain. See `Domain.recover` and `change`. */
  recover(domain: string, how: Recovery, options: Over<ChangeOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.recover(how, own));
  }

  /** Starts the machines; one that runs is `unchanged`. See `change`. */
  start(domain: string, options: Over<StartOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.start(own));
  }

  /** Asks the guests to shut down, and waits for it; one that is stopped is `unchanged`. See `change`. */
  shutdown(domain: string, options: Over<StopOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.shutdown(own));
  }

  /** Ends the machines at once; one that is stopped is `unchanged`. See `change`. */
  destroy(domain: string, options: Over<StopOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.destroy(own));
  }

  /** A shutdown and a start of each machine. See `change`. */
  restart(domain: string, options: Over<StartOptions & StopOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.restart(own));
  }

  /** Resets the machines. See `change`. */
  reset(domain: string, options: Over<ReadOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.reset(own));
  }

  /** Freezes the guests; one that is paused is `unchanged`. See `change`. */
  suspend(domain: string, options: Over<ReadOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.suspend(own));
  }

  /** Lets the guests go on; one that runs is `unchanged`. See `change`. */
  resume(domain: string, options: Over<ReadOptions> = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each, own) => each.resume(own));
  }

  /** Removes the configs of stopped domains. See `change`. */
  undefine(domain: string, options: FleetOptions = {}): Promise<FleetReport> {
    return this.#work(domain, options, (each) => each.undefine());
  }

  /**
   * Defines a domain on each host, from a file of this host or a command line. None may have one of the name, unless `replace`.
   *
   * @throws UsageError for a process, which is of one host, and for a source that is no QEMU; ConfigError for a file that can't be read
   */
  async define(
    source: DefineSource,
    { name, replace, ...options }: FleetOptions & { readonly name?: string; readonly replace?: boolean } = {},
  ): Promise<FleetReport> {
    const { defineWork, forMany, workOverFleet } = await parts();
    return workOverFleet(this.#crew, await defineWork(source, { name, replace }), { ...options, signal: forMany(options.signal) });
  }

  /** The domains of each host; `all`: also those that don't run. A host that can't be worked with is told with its error. */
  async list({ atOnce, ...options }: FleetReadOptions & { readonly all?: boolean } = {}): Promise<
    readonly FleetAnswer<readonly DomainInfo[]>[]
  > {
    const { askHosts, forMany } = await parts();
    const signal = forMany(options.signal);
    return askHosts(this.#crew, (host) => host.list({ ...options, signal }), { atOnce, signal });
  }

  /** The state, sizes and counts of each domain. @throws UsageError when nothing is meant */
  info(domain: string, options: FleetReadOptions = {}): Promise<readonly FleetAnswer<DomainInfo>[]> {
    return this.#ask(domain, options, (each, own) => each.info(own));
  }

  /** Config, live and guest of each domain side by side. @throws UsageError when nothing is meant */
  diff(domain: string, options: FleetReadOptions = {}): Promise<readonly FleetAnswer<readonly DiffRow[]>[]> {
    return this.#ask(domain, options, (each, own) => each.diff(own));
  }

  /**
   * The events of the machines, as they come. One that is lost is told to `onEnd`, and the others go on; it ends when all have ended.
   *
   * @throws UsageError when nothing is meant
   */
  async *events(domain: string, options: FleetEventOptions = {}): AsyncGenerator<FleetEvent, void, undefined> {
    const { fleetEvents, forMany } = await parts();
    yield* fleetEvents(this.#crew, domain, { ...options, signal: forMany(options.signal) });
  }

  async #work<Options extends FleetOptions & { readonly dryRun?: boolean | undefined }>(
    meant: string,
    options: Options,
    run: (domain: Domain, own: Omit<Options, keyof FleetOptions> & { readonly signal: AbortSignal | undefined }) => Promise<unknown>,
  ): Promise<FleetReport> {
    const { domainWork, forMany, workOverFleet } = await parts();
    const { atOnce, stopAfter, wherePossible, onProgress, signal: given, ...rest } = options;
    const signal = forMany(given);
    const own = { ...rest, signal };
    const work = domainWork(meant, { dryRun: options.dryRun === true, run: (domain) => run(domain, own as never) });
    return workOverFleet(this.#crew, work, { atOnce, stopAfter, wherePossible, onProgress, signal });
  }

  async #ask<T>(
    meant: string,
    { atOnce, ...options }: FleetReadOptions,
    ask: (domain: Domain, options: ReadOptions) => Promise<T>,
  ): Promise<readonly FleetAnswer<T>[]> {
    const { askDomains, forMany } = await parts();
    const signal = forMany(options.signal);
    return (await askDomains(this.#crew, meant, (domain) => ask(domain, { ...options, signal }), { atOnce, signal })).answers;
  }

  /** Closes all connections. A change that has begun goes on there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crew.links?.[Symbol.asyncDispose]();
  }
}
