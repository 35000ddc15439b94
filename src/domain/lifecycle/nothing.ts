import type { Report } from "../change/change-report.ts";
import type { Held } from "../machine/lock.ts";

/** The report of a change that had nothing to do, and of which nothing was read. `notes` say why. */
export function reportOfNothing(domain: string, { machine }: Held, notes: readonly string[]): Report {
  return {
    ...{ domain, scope: "dynamic", state: machine === null ? "stopped" : "running", outcome: "unchanged" },
    ...{ changes: [], steps: [], refusals: [], notes, elapsed: 0 },
  };
}
