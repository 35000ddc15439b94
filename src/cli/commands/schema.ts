import type { JsonSchema, Shape } from "../../shape.ts";
import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

type Answers = typeof import("../schema/answers.ts");
type Running = typeof import("../schema/running.ts");

/** The schema of something that a verb answers. */
const ofAnswer = (name: keyof Answers) => async (): Promise<JsonSchema> =>
  ((await import("../schema/answers.ts"))[name] as Shape<unknown>).schema();

/** The schema of what the verbs answer that are about the QEMUs of a host. */
const ofRunning = (name: keyof Running) => async (): Promise<JsonSchema> =>
  ((await import("../schema/running.ts"))[name] as Shape<unknown>).schema();

/** What there are schemas of: what it is, and how its schema is made. */
export const SCHEMAS: Readonly<Record<string, readonly [about: string, make: () => Promise<JsonSchema>]>> = {
  config: ["a launch config, as define reads it", async () => (await import("../schema/config.ts")).configSchema()],
  allocation: ["a file that apply reads", async () => (await import("../schema/config.ts")).allocationSchema()],
  report: ["the answer to a change: setmem, apply, revert, …", async () => (await import("../schema/report.ts")).report.schema()],
  fleet: ["the answer to a change or an action over many hosts", async () => (await import("../schema/fleet.ts")).fleet.schema()],
  error: ["the answer of any verb that fails without a report", ofAnswer("error")],
  list: ["the answer of list", ofAnswer("domains")],
  running: ["the answer of list --running", ofRunning("running")],
  adopted: ["the answer of define --running", ofRunning("adopted")],
  import: ["the answer of import", ofRunning("imported")],
  info: ["the answer of info", ofAnswer("info")],
  diff: ["the answer of diff", ofAnswer("rows")],
  "diff-all": ["the answer of diff --all", ofAnswer("allRows")],
  files: ["the answer of apply to files for several domains", async () => (await import("../schema/fleet.ts")).files.schema()],
  edit: ["the answer of edit", ofAnswer("edited")],
  vcpuinfo: ["the answer of vcpuinfo", ofAnswer("vcpus")],
  threads: ["the answer of threads", ofAnswer("threads")],
  domblklist: ["the answer of domblklist", ofAnswer("disks")],
  stats: ["the answer of stats", async () => (await import("../schema/stats.ts")).stats.schema()],
  metrics: ["the answer of metrics --json", async () => (await import("../schema/stats.ts")).allStats.schema()],
  top: ["a frame of top: one line", async () => (await import("../schema/top.ts")).frame.schema()],
  history: ["the answer of history", ofAnswer("history")],
  memstat: ["the answer of memstat", ofAnswer("memory")],
  balance: ["each line of balance", async () => (await import("../schema/balance.ts")).balanceLine.schema()],
  start: ["the answer of start and restart", ofAnswer("started")],
  run: ["the answer of run", ofAnswer("ran")],
  unit: ["the answer of unit", ofAnswer("unit")],
  autostart: ["the answer of autostart", ofAnswer("autostart")],
  shutdown: ["the answer of shutdown and destroy", ofAnswer("stopped")],
};

export const verb: Verb = defineVerb({
  usage: ["schema NAME"],
  summary: "print the JSON Schema of a file or of an answer",
  details: [
    'It is made from what checks the file, or from the types of the answer, and is of draft 7. An editor that a file tells where it is completes and checks that file: {"$schema": "./config.schema.json", …}.',
    "A schema can't say all that is checked: define and apply have the last word.",
  ],
  table: async () => ({ title: "what NAME may be", rows: Object.entries(SCHEMAS).map(([name, [about]]) => [name, about]) }),
  examples: [
    ["schema config", "of launch configs, for an editor that completes them"],
    ["schema report", "what a program finds in the answer to a change"],
  ],
  options: {},
  operands: { names: ["NAME"], required: 0, kinds: { NAME: "SCHEMA" } },
  async run({ args, io }) {
    const name = args.operands[0];
    if (name === undefined) throw misuse("NAME: missing", undefined, Object.keys(SCHEMAS).join(", "));
    const [about, make] = (Object.hasOwn(SCHEMAS, name) ? SCHEMAS[name] : undefined) ?? [];
    if (about === undefined || make === undefined)
      throw misuse(`${name}: there is no schema of that`, name, Object.keys(SCHEMAS).join(", "));
    const schema = { $schema: "http://json-schema.org/draft-07/schema#", title: `qmpctl: ${about}`, ...(await make()) };
    io.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return EXIT.done;
  },
});
