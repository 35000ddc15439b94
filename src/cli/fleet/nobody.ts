import type { Facade } from "../../domain/facade.ts";

const refuse = (): Promise<never> => Promise.reject(new Error("not of one host"));

/** A verb over a fleet asks for its domain, and for nothing of a host. */
export const NOBODY: Facade = {
  isElsewhere: true,
  open: refuse,
  define: refuse,
  list: refuse,
  outcome: refuse,
  running: refuse,
  sample: refuse,
  adopt: refuse,
  takeOver: refuse,
};
