import { messageOf } from "../errors.ts";
import { programIs } from "../host/own-program.ts";
import type { More } from "../remote/more.ts";
import { exitCodeOf, exitCodeOfError } from "./exit-code.ts";
import { textOf } from "./far-process.ts";
import { harmless } from "./harmless.ts";
import { openFacade } from "./open.ts";

/**
 * What a timer runs on a host to which this program was sent: `revert DOMAIN --end KEY`, and nothing else. What it says goes to the log of
 * the timer, as nobody watches.
 */
export async function runAlone(more: More): Promise<void> {
  programIs(() => textOf(more));
  const [verb, domain = "", option, end] = process.argv.slice(2);
  const interrupted = new AbortController();
  process.once("SIGTERM", () => interrupted.abort(new Error("interrupted by SIGTERM")));
  const say = (line: string): void => void process.stdout.write(harmless(`${line}\n`));
  try {
    if (verb !== "revert" || option !== "--end" || end === undefined) throw new Error("this program is run by a timer of qmpctl's only");
    const machine = await openFacade(process.env).open(domain);
    const report = await machine.revert({ end, signal: interrupted.signal });
    for (const note of report.notes) say(note);
    say(JSON.stringify(report));
    process.exitCode = exitCodeOf(report);
  } catch (error) {
    say(`qmpctl: ${messageOf(error)}`);
    process.exitCode = exitCodeOfError(error, interrupted.signal);
  }
}
