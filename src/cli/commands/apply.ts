import { change, changeOptions, effortOf, endOf, scopeOf } from "../change.ts";
import { readInput } from "../input.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["apply DOMAIN FILE", "apply FILE... | FOLDER"],
  section: "halves",
  summary: "set everything that a file names, as one change",
  details: [
    'FILE is JSON, such as {"memory": {"current": "1GiB"}, "vcpus": {"current": 2, "pin": {"0": "0-1"}}}. If FILE is -, standard input is read.',
    "What the file leaves out stays as it is. null takes away what can be taken away: a binding, a limit, a device.",
    "Only the differences are changed, under one lock. If one part fails, all of it is undone. A second run changes nothing.",
    "FILE may be a whole launch config: qmpctl config web1 | qmpctl apply web2 -. Then its allocation is applied, and what differs otherwise (args, name, id, emulator, …) is left as it is, and named.",
    "Without DOMAIN each file is for the domain that it is called by: web1.json for web1. Of a folder that is each *.json; others are named and skipped. All are planned before anything is touched; --where-possible, --stop-after and -H with one host work as with a pattern of domains.",
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
    ["apply machines/ --both", "each file of a folder, for the domain that it is called by"],
    ["apply web1 web2.json", "what another machine has, by its config"],
    ["apply web1 night.json --dynamic --until 07:00", "now, and back again in the morning"],
  ],
  options: {
    ...changeOptions,
    each: { about: "each operand is a file for a domain of its own, also if there are two" },
    file: { about: "", value: "FILE", fills: "FILE", hidden: true },
  },
  operands: { names: ["DOMAIN", "FILE"], required: 1, many: true, kinds: { DOMAIN: "DOMAIN-OR-FILE" } },
  isOfSeveral: async (args) => (await import("../many/files.ts")).areFiles(args, await reader()),
  async run(call) {
    const [{ readWanted }, { applyFile }, { areFiles }] = await Promise.all([
      import("../../domain/resources/whole-config.ts"),
      import("../many/apply-file.ts"),
      import("../many/files.ts"),
    ]);
    const read = call.readText ?? (await reader());
    if (await areFiles(call.args, read)) {
      const options = { ...effortOf(call.args), ...(await endOf(call.args)), scope: scopeOf(call.args), signal: call.io.signal };
      return (await import("../many/apply-many.ts")).applyMany({ call, options, read });
    }
    const path = call.args.operands[1] ?? "-";
    if (path !== "-") {
      const wanted = readWanted(await read(path), path);
      return change(call, (domain, options) => applyFile(domain, wanted, options));
    }
    // When the domain is open: to work as its owner the program may begin again, and standard input can be read once.
    return change(call, async (domain, options) =>
      applyFile(domain, readWanted(await readInput(call.io.stdin, "an allocation"), "standard input"), options),
    );
  },
});

async function reader(): Promise<(path: string) => Promise<string>> {
  return (await import("../../config/safe-file.ts")).readBoundedText;
}
