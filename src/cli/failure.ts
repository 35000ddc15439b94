import type { Report } from "../domain/change/change-report.ts";
import { messageOf, QmpctlError, UsageError } from "../errors.ts";
import { isLostChange, reportOf } from "./exit-code.ts";
import { oneLine } from "./harmless.ts";
import { flow, toJson } from "./output.ts";
import type { Io } from "./verb.ts";

/**
 * Says why a command failed: the message on stderr, the report (or with `json` the error) on stdout.
 * `advice` goes to the end of the message.
 */
export async function showFailure(error: unknown, io: Io, json: boolean, advice?: string): Promise<void> {
  const report = reportOf(error);
  const lines = message(error, report, io.signal, advice);
  if (json) io.stdout.write(`${toJson(report ?? { error: evidenceOf(error) })}\n`);
  else if (report !== undefined && report.outcome !== "refused") {
    const { showReport } = await import("./report.ts");
    io.stdout.write(showReport(report, io, lines.join("\n")));
  }
  for (const line of lines) io.stderr.write(flow(line, io.stderr.columns));
}

function message(error: unknown, report: Report | undefined, signal: AbortSignal, advice: string | undefined): readonly string[] {
  if (report?.outcome === "refused" && report.refusals.length > 0) {
    const reasons = report.refusals.flatMap(({ leg, reason, instead }) => [
      `  ${leg}: ${printable(reason)}`,
      ...(instead === undefined ? [] : [`    instead: ${printable(instead)}`]),
    ]);
    const how = error instanceof QmpctlError && "how" in error ? [`  ${printable(String(error.how))}`] : [];
    return [`qmpctl: ${printable(report.domain)}: refused, nothing was touched`, ...reasons, ...how];
  }
  if (signal.aborted && (report === undefined || error === signal.reason) && !isLostChange(error))
    return [`qmpctl: ${messageOf(signal.reason)}`];
  return `qmpctl: ${wording(error)}${advice === undefined ? "" : `; ${printable(advice)}`}`.split("\n");
}

/**
 * An error for people, on one line: its message, what was expected, and QEMU's class of it. An error of no known class is a bug of ours,
 * so its stack is shown.
 */
export function wording(error: unknown): string {
  if (error instanceof QmpctlError) return printable(error.message + wantedBy(error) + classOf(error) + guessOf(error));
  return `internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

// Many messages say what is expected.
function wantedBy(error: QmpctlError): string {
  if (!(error instanceof UsageError) || error.message.includes(error.expected) || /\b(give|write)\b|did you mean/.test(error.message))
    return "";
  return `; expected ${error.expected}`;
}

/** The longest word that is shown whole. A path can be longer than a page. */
const LONGEST_WORD = 300;

/** A text as part of one line. It may come from anywhere, so a very long word is cut. */
function printable(text: string): string {
  return oneLine(text).replace(/\S{301,}/g, (word) => `${word.slice(0, LONGEST_WORD / 3)}… (${word.length} characters)`);
}

// QEMU's documents speak of the class of an error. The generic class says nothing.
function classOf(error: QmpctlError): string {
  return "class" in error && error.class !== "GenericError" ? ` (${String(error.class)})` : "";
}

// The shell and scripts may know which word was meant.
function guessOf(error: QmpctlError): string {
  return "meant" in error ? `, did you mean ${String(error.meant)}?` : "";
}

/** An error for programs: its code, its message, every field of evidence, and its cause. */
export function evidenceOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  const { name: _, ...fields } = { ...error } as Record<string, unknown>;
  const cause = error.cause === undefined ? {} : { cause: messageOf(error.cause) };
  return { code: "internal", message: error.message, ...fields, ...cause };
}
