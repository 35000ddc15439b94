import type { Monitor } from "../../domain/facade.ts";
import { isErrorCode } from "../../errors.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { waitOption } from "../lifecycle.ts";
import { type Arguments, misuse } from "../options.ts";
import { toJson } from "../output.ts";
import { isForHuman, needTypes, pairsOf, parseQmpArguments } from "../qmp-arguments.ts";
import type { Sent } from "../shell/conversation.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["qmp DOMAIN COMMAND [JSON | KEY=VALUE...]", "qmp DOMAIN '{\"execute\": ...}'", "qmp DOMAIN --hmp LINE...", "qmp DOMAIN"],
  summary: "send a QMP command and print its result; without one: a shell",
  details: [
    'Arguments are one JSON object, or KEY=VALUE words. A dot in a key nests: props.core-id=2 is {"props":{"core-id":2}}.',
    "A value gets the type that QEMU's schema gives it: serial=123 is a string, value=512M is a number of bytes, on=off is a switch. [..] and {..} are JSON, and '\"0\"' is the string 0.",
    "Without a command, a terminal gets a shell. TAB completes commands, arguments, values, and the names of what this QEMU has now. Events are shown as they come, `help COMMAND` explains, `!LINE` goes to the human monitor, and the shell keeps a history.",
    "If stdin is not a terminal, it is read as a script: one command a line (an open bracket continues it on the next line), # for comments, one line of JSON for each result. A script stops at its first error, with the exit code of that error. --keep-going makes it go on.",
    "A monitor serves one client at a time. The machine's second monitor is used if it is free, so that changes can use the first. If only one monitor is left, a shell or script takes it and says so; changes then wait for it, up to their --timeout. --monitor chooses one.",
  ],
  examples: [
    ["qmp web1 query-status", "one command, and its answer as JSON"],
    ["qmp web1 qom-get path=/machine property=type", "arguments by name"],
    ["qmp web1", "a shell on the monitor"],
  ],
  options: {
    hmp: { about: "use the human monitor; its answers and its errors are text" },
    monitor: { about: "use only this monitor of the machine", value: "control|watch" },
    "keep-going": { about: "in a script: go on after an error" },
    ...waitOption("how long QEMU may take to answer each command"),
  },
  operands: { names: ["DOMAIN", "COMMAND", "ARGUMENT"], required: 1, many: true },
  async run(call) {
    const { args, io, facade } = call;
    const words = args.operands.slice(1);
    const request = words.length === 0 ? undefined : await requestOf(words, args);
    const monitorName = monitorOf(args);
    await using domain = await facade.open(args.operand(0));
    await using monitor = await domain.connect({ ...timeoutOf(args), signal: io.signal, monitor: monitorName });
    if (request === undefined) {
      const { runShell } = await import("../shell/shell.ts");
      return await runShell(call, domain, monitor);
    }
    const returned = await answerTo(request, call, monitor);
    const isText = args.flag("hmp") && !args.flag("json");
    if (isText) io.stdout.write(String(returned).replaceAll("\r\n", "\n"));
    else io.stdout.write(`${toJson(returned, io.stdout.isTTY && !args.flag("json") ? 2 : undefined)}\n`);
    return EXIT.done;
  },
});

/** One request. If it was given as words, `typed` is the same one with the types of its command. */
interface Request {
  readonly plain: Sent;
  readonly typed?: Sent;
}

async function requestOf(words: readonly string[], args: Arguments<"hmp", never>): Promise<Request> {
  if (args.flag("hmp")) return { plain: { kind: "hmp", line: words.join(" ") } };
  const [name = "", ...rest] = words;
  if (name.startsWith("{")) {
    const { parseRequest } = await import("../shell/statement.ts");
    return { plain: { kind: "request", request: parseRequest(words.join(" ")) } };
  }
  const [command = "", ...others] = [...name.split(/\s+/), ...rest];
  if (isForHuman(command, others))
    throw misuse(
      `${words.join(" ")}: that is a command of the human monitor: write --hmp ${words.join(" ")}`,
      name,
      "a command of QMP, or --hmp",
    );
  const plain: Sent = { kind: "command", name, members: parseQmpArguments(rest) ?? {}, pairs: [] };
  if (rest.length === 0) return { plain: { ...plain, members: undefined } };
  if (rest[0]?.trimStart().startsWith("{") === true) return { plain };
  const pairs = pairsOf(rest);
  const typed: Sent = { kind: "command", name, members: undefined, pairs };
  return needTypes(pairs) ? { plain: typed } : { plain, typed };
}

/** What QEMU returns. Its schema is read only if the types matter: it is large, and most commands work without it. */
async function answerTo({ plain, typed }: Request, { args, io }: Call<never, "timeout">, monitor: Monitor): Promise<unknown> {
  const { Conversation } = await import("../shell/conversation.ts");
  const conversation = new Conversation(monitor, timeoutOf(args));
  try {
    return await conversation.send(plain, io.signal);
  } catch (error) {
    // Nothing was done: QEMU checks the types first.
    if (typed === undefined || !isErrorCode(error, "command") || !/Invalid parameter type for /.test(error.message)) throw error;
    return conversation.send(typed, io.signal);
  }
}

function monitorOf(args: Arguments<never, "monitor">): "control" | "watch" | "any" {
  const name = args.text("monitor");
  if (name === undefined) return "any";
  if (name === "control" || name === "watch") return name;
  throw misuse(`--monitor ${name}: give control or watch`, name, "control or watch");
}
