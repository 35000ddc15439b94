import type { Facade } from "../../domain/facade.ts";
import { UsageError } from "../../errors.ts";
import type { Dialled, Hosts, Member } from "./member.ts";

/** How many connections are kept for what comes next: each is a process here, and one on its host. */
export const KEPT = 64;

/** The connections of a fleet, each made when it is first needed. */
export class Links implements AsyncDisposable {
  readonly #hosts: Hosts;
  readonly #stays: boolean;
  readonly #open = new Map<Member, Promise<Dialled>>();
  #isOver = false;

  /** `stays`: many pieces of work share them, one after another or at once, and they are closed when all is over. */
  constructor(hosts: Hosts, { stays = false }: { readonly stays?: boolean } = {}) {
    this.#hosts = hosts;
    this.#stays = stays;
  }

  /**
   * The domains of a host. A connection that is made for them is given up with the signal. @throws UsageError for what can't be a host;
   * when all is over
   */
  async to(member: Member, signal: AbortSignal | undefined): Promise<Facade> {
    // A connection that is made now would be closed by nobody, and keep this process alive.
    if (this.#isOver) throw new UsageError("the fleet is disposed of", { value: member.name, expected: "a fleet that is not" });
    let link = this.#open.get(member);
    if (link === undefined) {
      link = Promise.resolve(this.#hosts.dial(member));
      this.#open.set(member, link);
    }
    const { facade, until } = await link;
    until?.(signal);
    return facade;
  }

  /** A host is asked again soon: its connection is kept, where there are not too many. */
  async pause(member: Member): Promise<void> {
    if (this.#hosts.members.length > KEPT) await this.done(member);
  }

  /** A host is done, as far as this piece of work goes. */
  async done(member: Member): Promise<void> {
    if (!this.#stays) await this.#close(member);
  }

  /** A piece of work is over. */
  async over(): Promise<void> {
    if (!this.#stays) await this[Symbol.asyncDispose]();
  }

  async #close(member: Member): Promise<void> {
    const link = this.#open.get(member);
    this.#open.delete(member);
    await (await link?.catch(() => undefined))?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#open.keys()].map((member) => this.#close(member)));
  }
}
