import { isErrorCode } from "../../errors.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import type { Monitor } from "../facade.ts";
import { waitOption } from "../lifecycle.ts";
import { type Arguments, misuse } from "../options.ts";
import { toJson } from "../output.ts";
import { isForHuman, needTypes, pairsOf, parseQmpArguments } from "../qmp-arguments.ts";
import type { Sent } from "../shell/conversation.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["qmp DOMAIN COMMAND [JSON | KEY=VALUE...]", "qmp DOMAIN '{\"execute\": ...}'", "qmp DOMAIN --hmp LINE...", "qmp DOMAIN"],
  summary: "send a QMP command and print what it returns; without one: a shell",
  details: [
    'Arguments are one JSON object, or KEY=VALUE: a dot in a key nests (props.core-id=2 is {"props":{"core-id":2}}). A value gets the type that QEMU\'s schema says, so that serial=123 is a string, value=512M a number of bytes and on=off a switch; [..] and {..} are JSON, and \'"0"\' is the string 0.',
    "Without a command it is a shell: in a terminal with completion (commands, arguments, values, and what lives in this QEMU), events as they come, `help COMMAND`, and a history of its own. `!LINE` goes to the human monitor.",
    "Anything but a terminal on stdin is a script: a command a line (or several lines, until brackets close), # comments, one line of JSON for each result. It stops at the first error unless told to keep going, and ends with that error's code.",
    "It takes the machine's second monitor where there is one that is free, which leaves the first one to changes. A monitor serves one client: where a shell or a script has to take the only one, it says so, and changes wait for it as long as their --timeout. --monitor takes the one that is named.",
  ],
  options: {
    hmp: { about: "speak to the human monitor (its answers are text, and its errors too)" },
    monitor: { about: "which monitor of the machine to use, and no other", value: "control|watch" },
    "keep-going": { about: "of a script: go on after an error" },
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

/** One request, and the same one in the words of its command's types, where it was given in words. */
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
    throw misuse(`${words.join(" ")}: that is for the human monitor: write --hmp ${words.join(" ")}`, name, "a command of QMP, or --hmp");
  const plain: Sent = { kind: "command", name, members: parseQmpArguments(rest) ?? {}, pairs: [] };
  if (rest.length === 0) return { plain: { ...plain, members: undefined } };
  if (rest[0]?.trimStart().startsWith("{") === true) return { plain };
  const pairs = pairsOf(rest);
  const typed: Sent = { kind: "command", name, members: undefined, pairs };
  return needTypes(pairs) ? { plain: typed } : { plain, typed };
}

/** What QEMU returns. Its schema is asked where the types matter: it is large, and most commands are right without. */
async function answerTo({ plain, typed }: Request, { args, io }: Call<never, "timeout">, monitor: Monitor): Promise<unknown> {
  const { Conversation } = await import("../shell/conversation.ts");
  const conversation = new Conversation(monitor, timeoutOf(args));
  try {
    return await conversation.send(plain, io.signal);
  } catch (error) {
    // Nothing was done: QEMU looks at the types first.
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
