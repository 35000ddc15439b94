import type { Domain, Facade } from "../../domain/facade.ts";
import { DOMAIN_CALLS } from "../../remote/calls.ts";

/** The first thing that a verb asks of a domain or of a host. */
export class Rehearsed extends Error {
  readonly call: string;

  constructor(call: string) {
    super(`rehearsed: ${call}`);
    this.call = call;
  }
}

/** What a verb turned out to do. */
export interface Rehearsal {
  /** As in the table of calls, or `connect`; `list`, `define` and `outcome` are about a host. */
  readonly call: string;
  /** Whether it may change a domain. */
  readonly writes: boolean;
}

/**
 * Runs a verb up to the first thing that it asks of a domain: that says whether it reads or changes something. A command line that is
 * wrong is found so before anybody is asked. Undefined: it asks nothing of any host.
 *
 * @throws what the verb throws before it asks: UsageError, most of all
 */
export async function rehearse(run: (facade: Facade) => Promise<number>): Promise<Rehearsal | undefined> {
  const ask = (call: string) => (): Promise<never> => Promise.reject(new Rehearsed(call));
  const domain = new Proxy(
    { name: "x", [Symbol.asyncDispose]: async () => {} },
    {
      get: (known, name) =>
        name in known ? Reflect.get(known, name) : typeof name === "string" && name !== "then" ? ask(name) : undefined,
    },
  ) as unknown as Domain;
  const facade: Facade = {
    isElsewhere: true,
    open: async () => domain,
    list: ask("list"),
    sample: ask("sample"),
    define: ask("define"),
    outcome: ask("outcome"),
    running: ask("running"),
    adopt: ask("adopt"),
    takeOver: ask("takeOver"),
  };
  try {
    await run(facade);
    return undefined;
  } catch (error) {
    if (error instanceof Rehearsed) return { call: error.call, writes: DOMAIN_CALLS[error.call]?.writes === true };
    throw error;
  }
}
