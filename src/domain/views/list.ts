import type { DomainOptions } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import type { DomainInfo } from "./inspect.ts";

/** Options of `listDomains`. */
export interface ListOptions extends Omit<DomainOptions, "timeout">, ReadOptions {
  /** Also those that don't run. */
  readonly all?: boolean | undefined;
  readonly timeout?: number | undefined;
}

/** How long each domain of a list has to answer, in milliseconds. */
export const LIST_TIMEOUT = 2000;

/**
 * The domains of the config folder, by name. All are asked at once, each with a deadline of its own: one that does not
 * answer delays the answer by its own deadline, and is listed as unreachable.
 */
export async function listDomains(options: ListOptions = {}): Promise<readonly DomainInfo[]> {
  // Loaded when it is called: a program that only talks to a monitor needs nothing of it.
  const { inspectEach } = await import("./inspect-each.ts");
  const found = await inspectEach({ ...options, timeout: options.timeout ?? LIST_TIMEOUT });
  return options.all === true ? found : found.filter((domain) => domain.state !== "stopped");
}
