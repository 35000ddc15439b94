import { EXIT, exitCodeOfError, reportOf } from "../cli/exit-code.ts";
import type { Sink } from "../cli/verb.ts";
import type { Report } from "../domain/change/change-report.ts";
import type { Account } from "./account.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Wanted } from "./wanted.ts";

/** What a module answers Ansible: one object. */
export type Answer = Readonly<Record<string, unknown>> & { readonly changed: boolean; readonly failed?: true };

/** The answer of a task that has done all that it could. One whose guest has not done its part has failed, unless that is accepted. */
export function answerOf(wanted: Wanted, account: Account, around: Surroundings): Answer {
  const pending = account.done.some((done) => done.pending === true);
  const words = account.done.map(({ words: each }) => each);
  const msg = `${wanted.name}: ${words.length === 0 ? "it is so already" : `${around.check ? "would be: " : ""}${words.join(", ")}`}`;
  const answer = { ...common(wanted.name, account, around), msg, pending };
  if (!pending) return answer;
  const why = `${wanted.name}: QEMU accepted it, and the guest had not done it by the deadline: ${reasonsIn(account.report)}`;
  if (!wanted.acceptsPending) return { ...answer, failed: true, msg: why };
  return { ...answer, msg: why, warnings: [why] };
}

/** The answer of a task that failed, in the words of the command line. */
export async function failureOf(name: string, error: unknown, account: Account, around: Surroundings): Promise<Answer> {
  const report = reportOf(error);
  const code = exitCodeOfError(error, around.signal);
  return {
    ...common(name, account, around, report),
    failed: true,
    changed: account.changed || report?.outcome === "failed",
    msg: await wordsOf(error, name, around.signal),
    pending: code === EXIT.pending,
    exit_code: code,
    error: await evidence(error),
  };
}

function common(name: string, account: Account, { diff, check }: Surroundings, failed?: Report): Answer {
  const { done, info, changed } = account;
  const report = failed ?? account.report;
  const differences = done.flatMap((each) => each.differences ?? []);
  return {
    changed,
    name,
    ...(info === null || check ? {} : { state: info.state }),
    actions: done.map(({ action }) => action),
    reports: [
      ...done
        .filter((each) => each.report !== undefined)
        .map(({ action, key, report: each }) => ({ action, ...(key === undefined ? {} : { key }), report: each })),
      ...(failed === undefined ? [] : [{ action: "apply", report: failed }]),
    ],
    notes: [...new Set([...done.flatMap(({ notes = [] }) => notes), ...(failed?.notes ?? [])])],
    ...(report === undefined ? {} : { outcome: report.outcome }),
    ...(report?.finish === undefined ? {} : { finish: report.finish }),
    ...(report?.takeBack === undefined ? {} : { take_back: report.takeBack }),
    ...(info === null ? {} : { domain: info }),
    ...(diff && differences.length > 0 ? { diff: differences } : {}),
  };
}

function reasonsIn(report: Report | undefined): string {
  const reasons =
    report?.changes.flatMap(({ static: config, dynamic }) => [config, dynamic]).filter(({ outcome }) => outcome === "pending") ?? [];
  return reasons.map(({ reason, wanted, actual }) => reason ?? `${wanted} was asked for, and it is ${actual}`).join("; ");
}

/** What the command line would say on stderr. */
async function wordsOf(error: unknown, name: string, signal: AbortSignal): Promise<string> {
  const [{ showFailure }, { adviceOn }] = await Promise.all([import("../cli/failure.ts"), import("../cli/advice.ts")]);
  let said = "";
  const nowhere: Sink = { write: () => undefined, isTTY: false, columns: undefined };
  const stderr: Sink = { ...nowhere, write: (text) => void (said += text) };
  const io = { stdout: nowhere, stderr, stdin: null as never, env: {}, signal };
  await showFailure(error, io, false, await adviceOn(error, { verb: undefined, domain: name }));
  return said.replace(/^qmpctl: /, "").trimEnd();
}

/** The error for programs; its report stands in the answer already. */
async function evidence(error: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { evidenceOf } = await import("../cli/failure.ts");
  const { report: _, ...fields } = evidenceOf(error);
  return fields;
}
