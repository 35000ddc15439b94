import { change, changeOptions } from "../change.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["apply DOMAIN FILE"],
  section: "halves",
  summary: "set everything that a file names, as one change",
  details: [
    'FILE is JSON, such as {"memory": {"current": "1GiB"}, "vcpus": {"current": 2, "pin": {"0": "0-1"}}}. If FILE is -, standard input is read.',
    "What the file leaves out stays as it is. null takes away what can be taken away: a binding, a limit, a device.",
    "Only the differences are changed, under one lock. If one part fails, all of it is undone. A second run changes nothing.",
  ],
  async table() {
    const { fileKeys } = await import("../../domain/resources/allocation.ts");
    return {
      title: "what FILE may have, by verb",
      rows: fileKeys().map(({ place, shape, verb: like }) => [place, like, shape]),
    };
  },
  examples: [
    ["apply web1 web1-large.json --both", "now, and at the next start"],
    ["apply web1 web1-large.json --dry-run", "show what would be done"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "FILE"], required: 2 },
  async run(call) {
    const [{ readBoundedText }, { readAllocation }] = await Promise.all([
      import("../../config/safe-file.ts"),
      import("../../domain/resources/allocation.ts"),
    ]);
    const path = call.args.operand(1);
    if (path !== "-") {
      const wanted = readAllocation(await (call.readText ?? readBoundedText)(path), path);
      return change(call, (domain, options) => domain.apply(wanted, options));
    }
    // When the domain is open: to work as its owner the program may begin again, and standard input can be read once.
    return change(call, async (domain, options) => domain.apply(readAllocation(await readInput(call.io.stdin), "standard input"), options));
  },
});

/** More than any allocation needs, in UTF-16 units. */
const INPUT_LIMIT = 1024 * 1024;

async function readInput(stdin: Io["stdin"]): Promise<string> {
  let text = "";
  for await (const chunk of stdin.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > INPUT_LIMIT)
      throw misuse(
        `standard input: longer than ${INPUT_LIMIT} characters, the most that an allocation may have`,
        text.length,
        "a short JSON text",
      );
  }
  return text;
}
