import { type Domain, domainAt } from "../domain/domain.ts";
import type { Facade } from "../domain/facade.ts";
import type { DefineSource } from "../domain/lifecycle/define.ts";
import type { ReadOptions } from "../domain/model/action.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";
import type { Caller } from "./caller.ts";
import type { HostOptions } from "./connection.ts";
import type { Outcome } from "./outcomes.ts";

type Remote = typeof import("./remote-host.ts");

/**
 * A host that is reached by the user's own OpenSSH, over one connection for all of its domains. All that its domains need is done there:
 * their lock, their configs, their records are that host's. If the connection is lost, it is made again with the next call.
 */
export class Host implements AsyncDisposable {
  readonly #caller: Caller;
  readonly #remote: Remote;
  /** As it stands in addresses: `root@kvm1:2222`. */
  readonly name: string;

  private constructor(caller: Caller, remote: Remote) {
    this.name = caller.name;
    this.#caller = caller;
    this.#remote = remote;
  }

  /**
   * Connects to a host: `ssh://[user@]host[:port]`, where the host may be an alias of ssh_config.
   *
   * @throws UsageError when it is no such address; UnreachableError when it can't be worked with, and why; the signal's reason
   */
  static async connect(address: string, options: HostOptions = {}): Promise<Host> {
    const [{ callerOf }, remote] = await Promise.all([import("./dial-host.ts"), import("./remote-host.ts")]);
    const caller = callerOf(address, options);
    await (
      await caller.link()
    ).greeted;
    return new Host(caller, remote);
  }

  /** A domain of the host, by its name, a path or a monitor's address there. @throws as `Domain.open` does */
  async open(name: string): Promise<Domain> {
    await this.#remote.checkDomain(this.#caller, this.name, name);
    const { close: _, ...at } = this.#remote.remoteDomain(this.#caller, this.name, name);
    return domainAt(at);
  }

  /**
   * Defines a domain there. A file is one of this host, and is read here; its relative paths are meant from the home folder there.
   * A process is one of that host.
   *
   * @throws as `Domain.define` does
   */
  async define(
    source: DefineSource,
    options: { readonly name?: string; readonly replace?: boolean } = {},
  ): Promise<{ readonly domain: Domain; readonly notes: readonly string[] }> {
    const { domain, notes } = await this.#facade().define(source, options);
    return { domain: await this.open(domain.name), notes };
  }

  /** The host's domains, by name; `all`: also those that don't run. @throws as `call`s do: UnreachableError, LostError */
  list(options: ReadOptions & { readonly all?: boolean } = {}): Promise<readonly DomainInfo[]> {
    return this.#facade().list(options);
  }

  /** What became of a change whose connection was lost, by the key of its `LostError`. @throws UsageError for what can't be a key */
  outcome(key: string, options: { readonly signal?: AbortSignal } = {}): Promise<Outcome> {
    return this.#remote.outcomeOf(this.#caller, key, options.signal);
  }

  #facade(): Facade {
    return this.#remote.remoteFacade(this.#caller, this.name);
  }

  /** Ends the connection. A change that has begun goes on there. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#caller[Symbol.asyncDispose]();
  }
}
