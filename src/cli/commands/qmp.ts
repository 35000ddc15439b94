import { timeoutOf } from "../duration.ts";
import { waitOption } from "../lifecycle.ts";
import { toJson } from "../output.ts";
import { parseQmpArguments } from "../qmp-arguments.ts";
import type { Call, Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["qmp DOMAIN COMMAND [JSON]", "qmp DOMAIN COMMAND [KEY=VALUE...]"],
  summary: "send one QMP command and print what it returns",
  details: [
    "Arguments are one JSON object, or KEY=VALUE: a dot in a key nests (props.core-id=2 is {\"props\":{\"core-id\":2}}), a value that is JSON (a number, true, null, [..], {..}) is taken as such, anything else is a string ('\"0\"' is the string 0).",
  ],
  options: waitOption("how long QEMU may take to answer"),
  operands: { names: ["DOMAIN", "COMMAND", "ARGUMENT"], required: 2, many: true },
  async run({ args, io, facade }: Call): Promise<number> {
    const commandArguments = parseQmpArguments(args.operands.slice(2));
    const options = { ...timeoutOf(args), signal: io.signal };
    await using machine = await facade.open(args.operand(0));
    await using monitor = await machine.connect({ ...options, monitor: "control" });
    const returned = await monitor.execute(args.operand(1), commandArguments, options);
    io.stdout.write(`${toJson(returned, io.stdout.isTTY && !args.flag("json") ? 2 : undefined)}\n`);
    return 0;
  },
};
