import type { Domain } from "../../domain/facade.ts";
import { DOMAIN_CALLS } from "../calls.ts";

/** A call that changed something, and its answer. */
export interface Made {
  readonly name: string;
  readonly value: unknown;
}

/** A domain that tells what was made of it. A change is asked to say also how it is taken back: another host may fail yet. */
export function madeDomain(domain: Domain, tell: (made: Made) => void): Domain {
  const calls = domain as unknown as Readonly<Record<string, (...words: readonly unknown[]) => Promise<unknown>>>;
  const overrides = Object.entries(DOMAIN_CALLS)
    .filter(([, { writes }]) => writes)
    .map(([name, { begins }]): [string, unknown] => {
      const make = async (...args: readonly unknown[]): Promise<unknown> => {
        const options = args.at(-1) as { readonly dryRun?: boolean } | undefined;
        const words = begins ? [...args.slice(0, -1), { ...options, takeBack: true }] : args;
        const value = await calls[name]?.(...words);
        if (options?.dryRun !== true) tell({ name, value });
        return value;
      };
      return [name, make];
    });
  return { ...domain, ...Object.fromEntries(overrides) } as Domain;
}
