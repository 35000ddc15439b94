import { isErrorCode } from "../../errors.ts";
import { undefineDomain, type UndefineReport } from "../lifecycle/define.ts";
import { readStored } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { dropAutostart } from "./autostart.ts";

/** Removes a domain's config, and what had it start with the host. @throws as `undefineDomain` does */
export async function undefineWithUnit(place: Place): Promise<UndefineReport> {
  // A config that can't be read can be removed, or not: that says who removes it.
  const stored = await readStored(place).catch((error: unknown) => {
    if (isErrorCode(error, "config")) return null;
    throw error;
  });
  const report = await undefineDomain(place);
  if (stored === null || report.alias !== null) return report;
  const notes = await dropAutostart(place, stored.config.name, stored.path);
  return notes.length === 0 ? report : { ...report, notes };
}
