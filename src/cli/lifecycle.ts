import type { StartReport, StopOptions } from "../domain/model/action.ts";
import { commandLine } from "../domain/model/format.ts";
import { timeoutOf } from "./duration.ts";
import type { Domain } from "./facade.ts";
import type { Option } from "./options.ts";
import { flow, showSize, toJson } from "./output.ts";
import { progressLine } from "./progress.ts";
import type { Call } from "./verb.ts";

/** The option of a verb that waits. */
export function waitOption(about: string): { readonly timeout: Option & { readonly value: "TIME" } } {
  return { timeout: { about, value: "TIME" } };
}

/** The operands of a verb that is given a domain and nothing else. */
export const domainOnly = { names: ["DOMAIN"], required: 1 } as const;

/** What a verb of the life cycle answers: an object for programs, lines for people. */
export interface Answer {
  readonly json: unknown;
  readonly lines: readonly string[];
}

/** Opens the domain of the first operand, does one thing of its life cycle with it, and prints the answer. */
export async function lifecycle(
  call: Call<never, "timeout">,
  work: (domain: Domain, options: StopOptions) => Promise<Answer>,
): Promise<number> {
  const { args, io, facade } = call;
  let come: "asked" | "stopped" | undefined;
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
      // The power button can't be released again.
      if (come === "asked" && io.signal.aborted)
        io.stderr.write(
          flow(
            `note: the guest of ${domain.name} stays asked to shut down, and may still do it: ${commandLine("info", domain.name)} tells, ${commandLine("destroy", domain.name)} ends it`,
            io.stderr.columns,
          ),
        );
      if (come === "stopped" && io.signal.aborted)
        io.stderr.write(
          flow(
            `note: ${domain.name} had shut down for the restart, and is stopped now: ${commandLine("start", domain.name)}`,
            io.stderr.columns,
          ),
        );
      throw error;
    },
  );
  line[Symbol.dispose]();
  printAnswer(answer, call);
  return 0;
}

/** Prints an answer as it was asked for. */
export function printAnswer({ json, lines }: Answer, { args, io }: Call<never, never>): void {
  io.stdout.write(args.flag("json") ? `${toJson(json)}\n` : lines.map((each) => flow(each, io.stdout.columns)).join(""));
}

/** The answer of a verb that either works or throws. */
export function done(name: string, what: string): Answer {
  return { json: { name, done: what }, lines: [`${name}: ${what}`] };
}

/** What a start has to say. */
export function started(report: StartReport): Answer {
  const vcpus = `${report.vcpus} vCPU${report.vcpus === 1 ? "" : "s"}`;
  const lines = [
    `${report.name}: started, pid ${report.pid}, ${vcpus}, ${showSize(report.memory)}`,
    ...report.notes.map((note) => `note: ${note}`),
  ];
  return { json: report, lines };
}
