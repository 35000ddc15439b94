import type { Report } from "../domain/change/change-report.ts";
import type { Domain } from "../domain/facade.ts";
import type { ChangeOptions, Scope } from "../domain/model/change.ts";
import type { Change } from "../domain/resources/registry.ts";
import { printAs } from "./answer.ts";
import { parseDuration, timeoutOf } from "./duration.ts";
import { exitCodeOf } from "./exit-code.ts";
import { type Arguments, type FlagsOf, misuse, type TextsOf } from "./options.ts";
import { flow, noteLine } from "./output.ts";
import { erase, progressLine } from "./progress.ts";
import type { Call } from "./verb.ts";

/** Options of every verb that may change a running machine, which can take time. */
export const effortOptions = {
  "dry-run": { about: "show what would be done, and do nothing" },
  timeout: { about: "how long the running machine may take (default: 30 s)", value: "TIME" },
  "undo-timeout": { about: "how long undoing may take if the change fails (default: 15 s)", value: "TIME" },
  force: { about: "do it even if the guest may not survive it" },
  "on-failure": { about: "what to do with finished steps if a step fails: undo (default) or keep", value: "undo|keep" },
} as const;

/** Older programs take SIZE as a bare number of KiB. */
export const sizeOptions = {
  kilobytes: { about: "", value: "NUMBER", fills: "SIZE", unit: "KiB", hidden: true },
} as const;

const scopeOptions = {
  static: { about: "change the launch config, which the next start uses" },
  config: { about: "", alias: "static" },
  dynamic: { about: "change the running machine; with --static: both" },
  live: { about: "", alias: "dynamic" },
  both: { about: "change both, as --static and --dynamic together do" },
  perm: { about: "", alias: "both" },
  permanent: { about: "", alias: "both", hidden: true },
  current: { about: "change the running machine, or the config of a stopped one (the default)" },
} as const;

const endOptions = {
  for: { about: "take it back after this time, such as 90s, 30min, 8h or 1d", value: "TIME" },
  until: { about: 'take it back at this moment: 07:00, "2026-12-01 07:00"', value: "MOMENT" },
} as const;

/** Options that every change takes. */
export const changeOptions: typeof scopeOptions & typeof endOptions & typeof effortOptions = {
  ...scopeOptions,
  ...endOptions,
  ...effortOptions,
};

type ScopeFlag = FlagsOf<typeof scopeOptions>;
type EffortFlag = FlagsOf<typeof effortOptions>;
type EffortText = TextsOf<typeof effortOptions>;
type EndText = TextsOf<typeof endOptions>;

/** Which halves the options ask for. @throws UsageError when they contradict each other */
export function scopeOf(args: Arguments<ScopeFlag, never>): Scope {
  const both = args.flag("both");
  const [fixed, running] = [both || args.flag("static"), both || args.flag("dynamic")];
  if (args.flag("current") && (fixed || running)) {
    const other = both ? "--both" : fixed ? "--static" : "--dynamic";
    throw misuse(`--current and ${other}: give only one`, other, "--current alone, or --static and --dynamic");
  }
  if (fixed && running) return "both";
  return fixed ? "static" : running ? "dynamic" : "current";
}

/** Changes the domain of the first operand, in the halves that the options ask for, and shows the report. */
export async function change(
  call: Call<ScopeFlag | EffortFlag, EffortText | EndText>,
  work: (domain: Domain, options: ChangeOptions) => Promise<Report>,
): Promise<number> {
  const scope = scopeOf(call.args);
  const end = await endOf(call.args);
  return reported(call, (domain, options) => work(domain, { ...options, scope, ...end }));
}

/** When the change is to end by itself. It is read here too, before anything is opened. @throws UsageError */
export async function endOf({ text }: Arguments<never, EndText>): Promise<Pick<ChangeOptions, "for" | "until">> {
  const wish = Object.fromEntries((["for", "until"] as const).map((name) => [name, text(name)]).filter(([, value]) => value !== undefined));
  if (Object.keys(wish).length > 0) (await import("../domain/ends/moment.ts")).momentOf(wish, Date.now());
  return wish;
}

/** Takes away what has that id. If neither half has it, a note says so: the id may be a slip. */
export async function takeAway(call: Call<ScopeFlag | EffortFlag, EffortText | EndText>, what: string, wanted: Change): Promise<number> {
  let report: Report | undefined;
  const code = await change(call, async (domain, options) => (report = await domain.change(wanted, options)));
  const halves = report?.changes.flatMap(({ static: config, dynamic }) => [config.before, dynamic.before]) ?? [];
  if (report?.steps.length === 0 && halves.every((before) => before === null || before === 0 || before === "absent"))
    call.io.stderr.write(noteLine(`there was no ${what}`, call.io.stderr.columns));
  return code;
}

/**
 * Does something with the domain of the first operand that ends in a report, and shows the report. An interrupt is passed on: what is
 * half done is undone before this resolves.
 */
export async function reported(
  call: Call<EffortFlag, EffortText>,
  work: (domain: Domain, options: ChangeOptions) => Promise<Report>,
): Promise<number> {
  const { args, io, facade } = call;
  const options = { ...effortOf(args), signal: io.signal };
  await using domain = await facade.open(args.operand(0));
  using line = progressLine(io);
  using _ = interruptNotice(call);
  const report = await work(domain, line.onProgress === undefined ? options : { ...options, onProgress: line.onProgress });
  line[Symbol.dispose]();
  const { showReport } = await import("./report.ts");
  printAs(call, report, (it) => showReport(it, io));
  return exitCodeOf(report);
}

/** Reads the options of `effortOptions`. @throws UsageError when a value is not one of theirs */
export function effortOf(args: Arguments<EffortFlag, EffortText>): ChangeOptions {
  const onFailure = args.text("on-failure");
  if (onFailure !== undefined && onFailure !== "undo" && onFailure !== "keep")
    throw misuse(`--on-failure ${onFailure}: give undo or keep`, onFailure, "undo or keep");
  const undo = args.text("undo-timeout");
  return {
    ...timeoutOf(args),
    ...(undo === undefined ? {} : { undoTimeout: parseDuration(undo) }),
    dryRun: args.flag("dry-run"),
    force: args.flag("force"),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}

// Undoing takes time. If nothing said so, the user would take it for a hang and kill it halfway.
function interruptNotice({ io }: Pick<Call, "io">): Disposable {
  const say = (): void => io.stderr.write(erase + flow("qmpctl: interrupted: undoing; press again to quit now", io.stderr.columns));
  if (io.stderr.isTTY) io.signal.addEventListener("abort", say, { once: true });
  return { [Symbol.dispose]: () => io.signal.removeEventListener("abort", say) };
}
