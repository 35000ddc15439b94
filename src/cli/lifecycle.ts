import type { Domain } from "../domain/facade.ts";
import type { GuestAnswer, StartReport, StopOptions } from "../domain/model/action.ts";
import { commandLine } from "../domain/model/format.ts";
import { type Answer, printAnswer } from "./answer.ts";
import { showDuration, timeoutOf } from "./duration.ts";
import { EXIT } from "./exit-code.ts";
import { type Arguments, misuse, type Option } from "./options.ts";
import { noteLine, showSize } from "./output.ts";
import { progressLine } from "./progress.ts";
import type { Call } from "./verb.ts";

/** The option of a verb that waits. */
export function waitOption(about: string): { readonly timeout: Option & { readonly value: "TIME" } } {
  return { timeout: { about, value: "TIME" } };
}

type FlagOption = Pick<Option, "about">;

/** The options of a verb that can wait for the guest. */
export const answerOptions: { readonly wait: FlagOption; readonly "wait-for": Option & { readonly value: "PATTERN" } } = {
  wait: { about: "wait until the guest answers: its agent, which the config names" },
  "wait-for": { about: "wait until this is on the guest's console (a regular expression, as 'login:')", value: "PATTERN" },
};

/** For which answer of the guest to wait; nothing if for none. @throws UsageError when both are asked for */
export function answerOf(args: Arguments<"wait", "wait-for">): { readonly wait?: GuestAnswer } {
  const pattern = args.text("wait-for");
  if (pattern !== undefined && args.flag("wait"))
    throw misuse("--wait and --wait-for: one of them is waited for", pattern, "--wait, or --wait-for PATTERN");
  return pattern !== undefined ? { wait: { console: pattern } } : args.flag("wait") ? { wait: { agent: true } } : {};
}

/** The operands of a verb that takes a domain and nothing else. */
export const domainOnly = { names: ["DOMAIN"], required: 1 } as const;

/** How far a shutdown has come: the guest is asked, or it is down. */
type Shutdown = "asked" | "stopped";

/** Opens the domain of the first operand, does one thing with it, and prints the answer. */
export async function lifecycle(
  call: Call<never, "timeout">,
  work: (domain: Domain, options: StopOptions) => Promise<Answer>,
): Promise<number> {
  const { args, io, facade } = call;
  let come: Shutdown | undefined;
  const options = {
    ...timeoutOf(args),
    signal: io.signal,
    onAsked: () => void (come ??= "asked"),
    onStopped: () => void (come = "stopped"),
  };
  await using domain = await facade.open(args.operand(0));
  using line = progressLine(io);
  const answer = await work(domain, line.onProgress === undefined ? options : { ...options, onProgress: line.onProgress }).catch(
    (error: unknown) => {
      line[Symbol.dispose]();
      if (come !== undefined && io.signal.aborted) io.stderr.write(noteLine(leftBehind(domain.name, come), io.stderr.columns));
      throw error;
    },
  );
  line[Symbol.dispose]();
  printAnswer(call, answer);
  return EXIT.done;
}

/** What an interrupt can't undo: nobody can release the power button again. */
function leftBehind(name: string, come: Shutdown): string {
  return come === "asked"
    ? `the guest of ${name} was asked to shut down and may still do it: ${commandLine("info", name)} shows its state, ${commandLine("destroy", name)} ends it`
    : `${name} has shut down for the restart and is stopped now: ${commandLine("start", name)} starts it`;
}

/** What there is to say about a start. */
export function started(report: StartReport): Answer {
  const vcpus = `${report.vcpus} vCPU${report.vcpus === 1 ? "" : "s"}`;
  return {
    json: report,
    lines: [
      `${report.name}: started, pid ${report.pid}, ${vcpus}, ${showSize(report.memory)}`,
      ...(report.answer === undefined ? [] : [`${report.name}: its guest is up after ${showDuration(report.elapsed)}: ${report.answer}`]),
    ],
    notes: report.notes,
  };
}
