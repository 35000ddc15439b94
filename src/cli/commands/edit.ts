import type { Domain } from "../../domain/facade.ts";
import type { RewriteReport } from "../../domain/lifecycle/rewrite.ts";
import { commandLine } from "../../domain/model/format.ts";
import { HostError, isErrorCode, QmpctlError } from "../../errors.ts";
import { printAnswer } from "../answer.ts";
import type { EditedCopy } from "../edit/copy.ts";
import { EXIT } from "../exit-code.ts";
import { wording } from "../failure.ts";
import { domainOnly } from "../lifecycle.ts";
import { lineDiff } from "../line-diff.ts";
import { flow, noteLine, painter } from "../output.ts";
import { type Call, defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["edit DOMAIN"],
  section: "domains",
  summary: "edit the launch config with your editor; it is checked",
  details: [
    "The editor is $VISUAL, $EDITOR, sensible-editor or vi. It gets a private copy. What it leaves is checked as by `define`; if something is wrong with it, you are asked whether to edit it again.",
    "The config is replaced in one step. If somebody else has changed it meanwhile, it is left alone. What you have edited is never lost: if it is not taken, its file is named.",
    "A running machine goes on as it is: what was changed is for its next start, and `diff` shows it. `revert` makes the running machine equal to it, as far as that can be done.",
    "It takes a terminal. Without one, print the config with `config` and give it to define --replace, or change values with `apply`. A machine of another host is edited here, and written there.",
  ],
  examples: [
    ["edit web1", "with the editor that is yours"],
    ["-H kvm1 edit web1", "the config of a machine on another host"],
  ],
  options: {},
  operands: domainOnly,
  async run(call) {
    const { args, io, facade } = call;
    await using domain = await facade.open(args.operand(0));
    const before = await domain.config();
    mustHaveTerminal(io, domain.name);
    const { EditedCopy } = await import("../edit/copy.ts");
    using copy = new EditedCopy(domain.name, before);
    return show(call, domain, before, await untilTaken({ io, domain, before, copy }));
  },
});

function mustHaveTerminal({ stdin, stdout, stderr }: Io, name: string): void {
  if (stdin.isTTY === true && (stdout.isTTY || stderr.isTTY)) return;
  throw new QmpctlError(
    "refused",
    `${name}: there is no terminal for an editor; instead: print the config with qmpctl config, and give it to qmpctl define --replace when it is changed, or change values with qmpctl apply`,
  );
}

interface Editing {
  readonly io: Io;
  readonly domain: Domain;
  readonly before: string;
  readonly copy: EditedCopy;
}

/** Has it edited until it is taken. Null: nothing was changed. @throws what is wrong with it, when the user gives up; the file is kept */
async function untilTaken({ io, domain, before, copy }: Editing): Promise<RewriteReport | null> {
  const [{ editFile, editorOf }, { asksAgain }] = await Promise.all([import("../edit/editor.ts"), import("../edit/ask.ts")]);
  for (;;) {
    try {
      await editFile(copy.path, editorOf(io.env), io.env);
      io.signal.throwIfAborted();
      const text = await copy.read().catch((error: unknown) => {
        // The message of a config that is missing would lead to the list of domains.
        throw isMissing(error) ? new HostError(`the editor has left no file ${copy.path}: the config is as it was`) : error;
      });
      return text === before ? null : await domain.rewrite(text, before);
    } catch (error) {
      if (isMistake(error)) {
        io.stderr.write(flow(`qmpctl: ${wording(error).replaceAll(copy.path, domain.name)}`, io.stderr.columns));
        if (await asksAgain(io)) continue;
      }
      await keepIfEdited({ io, domain, before, copy });
      throw isMistake(error) ? new QmpctlError("refused", `${domain.name}: the config is as it was`, { cause: error }) : error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return isErrorCode(error, "config") && "problem" in error && error.problem === "missing";
}

/** Whether it is about the text: editing it again can help. */
function isMistake(error: unknown): boolean {
  if (isErrorCode(error, "usage")) return true;
  return isErrorCode(error, "config") && "problem" in error && error.problem === "invalid";
}

/** Nothing that a user has typed is lost. An editor that leaves no file has left nothing to keep. */
async function keepIfEdited({ io, before, copy }: Editing): Promise<void> {
  const isEdited = await copy.read().then(
    (text) => text !== before,
    (error: unknown) => !isMissing(error),
  );
  if (!isEdited) return;
  copy.keep();
  io.stderr.write(noteLine(`what you have edited is kept in ${copy.path}`, io.stderr.columns));
}

function show(call: Call<never, never>, { name }: Domain, before: string, report: RewriteReport | null): number {
  if (report === null) {
    printAnswer(call, { json: { name, changed: false }, lines: [`${name}: nothing was changed`] });
    return EXIT.done;
  }
  const { text, path, isForNextStart } = report;
  const lines = lineDiff(before.trimEnd(), text.trimEnd());
  const pending = isForNextStart
    ? [`it runs, and goes on as it is: this is for its next start; ${commandLine("diff", name)} shows what differs`]
    : [];
  const notes = [...report.notes, ...pending];
  const paint = painter(call.io.stdout, call.io.env);
  if (!call.args.flag("json"))
    call.io.stdout.write(lines.map((line) => `${paint(`  ${line}`, line.startsWith("-") ? "red" : "green")}\n`).join(""));
  printAnswer(call, { json: { name, changed: true, path, lines, notes }, lines: [`${name}: the config is changed`], notes });
  return EXIT.done;
}
