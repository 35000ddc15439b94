import type { Recovery, RecoveryReport } from "../../domain/lifecycle/recover.ts";
import { printAs } from "../answer.ts";
import { effortOf, effortOptions } from "../change.ts";
import { EXIT, exitCodeOf } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import { type Arguments, misuse } from "../options.ts";
import { flow } from "../output.ts";
import { progressLine } from "../progress.ts";
import { showReport } from "../report.ts";
import { defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["recover DOMAIN --finish", "recover DOMAIN --undo", "recover DOMAIN --forget"],
  section: "halves",
  summary: "resolve a change or a start that was killed halfway",
  details: [
    "After a change: --finish gives both halves their new values, --undo gives both their old values, --forget leaves both as they are.",
    "After a start, a restart or a shutdown: --finish completes it; --undo ends a machine that is half started, or gives up a shutdown. A guest that was asked to shut down can't be told not to.",
    "Until then, other changes of the domain are refused.",
  ],
  examples: [
    ["recover web1 --undo --dry-run", "show what would be done"],
    ["recover web1 --finish", "do the rest of it"],
  ],
  options: {
    finish: { about: "give both halves their new values" },
    undo: { about: "give both halves their old values" },
    forget: { about: "leave both halves as they are" },
    ...effortOptions,
  },
  operands: domainOnly,
  async run(call) {
    const { args, io, facade } = call;
    const chosen = howOf(args);
    await using domain = await facade.open(args.operand(0));
    // Without an option, the user first hears whether there is anything to resolve.
    if (chosen === undefined) await domain.recover("undo", { ...effortOf(args), dryRun: true, signal: io.signal });
    const how = chosen ?? ask();
    using line = progressLine(io);
    const recovery = await domain.recover(how, {
      ...effortOf(args),
      signal: io.signal,
      ...(line.onProgress === undefined ? {} : { onProgress: line.onProgress }),
    });
    line[Symbol.dispose]();
    printAs(call, recovery, (it) => show(it, io));
    return Math.max(EXIT.done, ...recovery.reports.map(exitCodeOf));
  },
});

function howOf(args: Arguments<Recovery, never>): Recovery | undefined {
  const chosen = (["finish", "undo", "forget"] as const).filter((how) => args.flag(how));
  const [how] = chosen;
  if (chosen.length > 1) throw misuse(`--${chosen.join(" and --")}: give only one`, chosen, "--finish, --undo or --forget");
  return how;
}

function ask(): never {
  throw misuse(
    "how should it be resolved? give --finish (new values in both halves), --undo (old values) or --forget (both stay as they are)",
    [],
    "--finish, --undo or --forget",
  );
}

const DONE: Readonly<Record<Recovery, string>> = {
  finish: "finished",
  undo: "undone",
  forget: "forgotten: both halves are left as they are",
};

function show(recovery: RecoveryReport, io: Io): string {
  const { domain, reports, restoredConfig, lost, dryRun, end } = recovery;
  const lines = [
    ...(restoredConfig ? [`config: ${dryRun ? "would be" : "is"} as it was before, byte for byte`] : []),
    `${domain}: ${lineOf(recovery)}`,
    ...(end === undefined ? [] : [end]),
    ...(lost === undefined ? [] : [`lost: ${lost}`]),
  ];
  return [...reports.map((report) => showReport(report, io)), ...lines.map((line) => flow(line, io.stdout.columns))].join("");
}

/** What was really done. If the QEMU is gone, there is no live half. */
function lineOf({ how, interrupted, settled, dryRun, action }: RecoveryReport): string {
  if (action !== undefined) return action.done;
  const is = `the interrupted change ${dryRun ? "would be" : "is"} ${DONE[how]}`;
  if (how === "forget" || interrupted?.sameMachine !== false) return is;
  const gone = "the QEMU that it changed is gone, and the live half with it";
  return settled.includes("static")
    ? `${is} in the config only: ${gone}`
    : `nothing is left to ${how}: ${gone}, and the config was not part of the change`;
}
