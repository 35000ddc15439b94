import type { Domain, Monitor } from "../../domain/facade.ts";
import { timeoutOf } from "../duration.ts";
import { whatIsHeld } from "../held.ts";
import { misuse } from "../options.ts";
import { wrap } from "../output.ts";
import type { Call } from "../verb.ts";
import { Conversation } from "./conversation.ts";
import type { Mode } from "./statement.ts";

/** `qmp DOMAIN` without a command: a shell in a terminal, else a script from stdin. Resolves with the exit code. */
export async function runShell({ args, io }: Call<"hmp" | "keep-going", "timeout">, domain: Domain, monitor: Monitor): Promise<number> {
  const conversation = new Conversation(monitor, timeoutOf(args));
  const mode: Mode = args.flag("hmp") ? "hmp" : "qmp";
  if (io.stdin.isTTY !== true || !io.stdout.isTTY) {
    const { runScript } = await import("./script.ts");
    return runScript(conversation, io, { mode, keepGoing: args.flag("keep-going"), json: args.flag("json") });
  }
  if (args.flag("json") || args.flag("keep-going"))
    throw misuse("--json and --keep-going are for scripts: give one on stdin", undefined, "a script on stdin");
  const { runTerminal } = await import("./terminal.ts");
  const isAddress = domain.name.includes(":");
  const width = io.stdout.columns ?? 80;
  const greeting = [`QMP of ${domain.name}: TAB completes, help [COMMAND] explains, ^D leaves.`];
  const held = whatIsHeld(domain, monitor);
  if (held !== undefined) greeting.push(...wrap(held, width));
  return runTerminal(conversation, io, { mode, name: isAddress ? "qmp" : domain.name, greeting: greeting.join("\n") });
}
