import type { ChangeReport, Report } from "../domain/change/change-report.ts";
import { fellShort } from "../domain/facts/host-memory-change.ts";
import { kindOf } from "../domain/resources/registry.ts";
import { flow, showSize } from "./output.ts";

/** The cell of a report's column `host`: what QEMU had in the host's RAM, and has. */
export function hostCell({ change }: ChangeReport, half: "static" | "dynamic", { host }: Report): string {
  if (host === undefined || half === "static" || kindOf(change).movesHostMemory !== true) return "-";
  return `${showSize(host.before.resident)} -> ${showSize(host.after.resident)}`;
}

/** Lines about the host: what QEMU's own cgroup is charged, and what the host got, if that is less than the guest gave up, or not known. */
export function hostLines(report: Report, columns?: number): string {
  const [before, after] = [report.host?.before.cgroup, report.host?.after.cgroup];
  const isKnown = before !== undefined && after !== undefined;
  const charged = isKnown ? flow(`cgroup: ${showSize(before.charged)} -> ${showSize(after.charged)}`, columns) : "";
  return charged + gotLine(report, columns);
}

function gotLine({ host, hostDenied }: Report, columns?: number): string {
  if (hostDenied !== undefined && host === undefined) return flow(`host: not known: ${hostDenied}`, columns);
  if (host === undefined || !fellShort(host)) return "";
  const freed = host.freed === 0 ? "nothing" : showSize(host.freed);
  const why = host.why.length === 0 ? "" : `: ${host.why.join("; ")}`;
  return flow(`host: ${freed} freed, of the ${showSize(host.givenUp)} given up${why}`, columns);
}
