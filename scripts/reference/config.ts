import { allocationSchema, configSchema } from "../../src/cli/schema/config.ts";
import { fileKeys } from "../../src/domain/resources/allocation.ts";
import type { JsonSchema } from "../../src/shape.ts";
import { cell } from "./cell.ts";

/** What each key of a launch config is for. A key without a line here is an error, and so is a line without a key. */
const ABOUT: Readonly<Record<string, string>> = {
  $schema: "where the JSON Schema of the file is (`qmpctl schema config`), for editors",
  name: "what the domain is called; the file is `NAME.json`",
  id: "the identity of the machine, whatever its config is called; `define` makes it. Remove it from a copy",
  emulator: "the program that is started",
  memory: "the guest's memory",
  "memory.max": "the RAM that the machine starts with: the most that its balloon can give back",
  "memory.current": "what the balloon leaves the guest of it",
  "memory.min": "the lowest size that a balloon may be set to",
  "memory.period": "how often QEMU asks the guest what it uses, in seconds of its running time; 5 unless told",
  "memory.hotplug": "room for memory that comes later",
  "memory.hotplug.slots": "how many DIMMs can be plugged; 0 is enough for virtio-mem",
  "memory.hotplug.limit": "the most memory that the machine can have, with everything that is plugged",
  "memory.plugged": "what virtio-mem devices are asked to give, by their ids",
  vcpus: "the processors of the guest",
  "vcpus.max": "how many there is room for",
  "vcpus.current": "how many it starts with",
  "vcpus.online": "which ones these are, where they are not those from vCPU 0 on",
  "vcpus.topology": "how they are arranged, as far as that is given: QEMU completes the rest",
  "vcpus.topology.*": "how many of them there are in what holds them",
  "vcpus.pin": "the CPUs of the host that a vCPU's thread may run on, by the number of the vCPU",
  "vcpus.sched": "the scheduling policies of vCPUs' threads, by the number of the vCPU",
  threads: "QEMU's threads that are no vCPUs",
  "threads.emulator": "the host's CPUs for QEMU's own threads",
  "threads.iothreads": "the host's CPUs for iothreads, by their ids",
  "threads.vhost": "the host's CPUs for the kernel's threads of vhost devices",
  "threads.emulatorSched": "the scheduling policy of QEMU's own threads",
  "threads.iothreadsSched": "the scheduling policies of iothreads, by their ids",
  disks: "limits of disks",
  "disks.throttle": "what each disk may do in a second, by the name of the disk",
  cpu: "the share of the host's CPU time that QEMU may have, with all of its threads",
  "cpu.quota": "the most, in percent of one CPU",
  "cpu.weight": "what it weighs against others that want the CPUs too; 100 unless told",
  args: "QEMU's own words for everything else",
  monitor: "the path of one more QMP socket, for tools of yours",
  agent: "the socket at which QEMU listens for those who talk to the agent in the guest",
};

/** The page of the launch config and of the file that `apply` reads, from what checks them. */
export function configPage(): string {
  const schema = configSchema();
  const rows = rowsOf(schema, []);
  const used = new Set(rows.map(({ key }) => aboutKey(key)));
  const stale = Object.keys(ABOUT).filter((key) => !used.has(key));
  if (stale.length > 0) throw new Error(`no such keys of a config: ${stale.join(", ")}`);
  return `# The config

One JSON file for each domain: what the next start uses. Made from what checks it: \`npm run reference\` writes this page.
A test compares it. \`qmpctl schema config\` prints the same for an editor, and \`{"$schema": "./config.schema.json", …}\` in the file tells
the editor where it is.

Sizes are texts with a unit.
A change keeps the order, the indentation and the keys that qmpctl does not know.
A key that looks like a misspelled one of these is refused.

| key | for | what is right | changed by |
|---|---|---|---|
${rows.map(rowText).join("\n")}

Keys in **bold** have to be there; those of a group, if the group is there.

## What apply reads

\`qmpctl apply DOMAIN FILE\` sets what the file names, as one change. It has the same groups as a config; \`null\` takes away what can be taken away.

| key | value | as | the same as |
|---|---|---|---|
${fileKeys()
  .map(({ place, shape, example, verb }) => `| \`${place}\` | \`${cell(shape)}\` | \`${cell(example)}\` | \`${verb}\` |`)
  .join("\n")}

Groups: ${Object.keys(allocationSchema().properties ?? {})
    .filter((name) => name !== "$schema")
    .map((name) => `\`${name}\``)
    .join(", ")}.
`;
}

interface Row {
  readonly key: string;
  readonly isRequired: boolean;
  readonly expected: string;
}

function rowsOf(schema: JsonSchema, path: readonly string[]): readonly Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const key = [...path, name];
    const row = { key: key.join("."), isRequired: schema.required?.includes(name) === true, expected: each.description ?? "" };
    return [row, ...rowsOf(each, key)];
  });
}

/** The levels of a topology are told alike. */
function aboutKey(key: string): string {
  return key.startsWith("vcpus.topology.") ? "vcpus.topology.*" : key;
}

function rowText({ key, isRequired, expected }: Row): string {
  const about = ABOUT[aboutKey(key)];
  if (about === undefined) throw new Error(`scripts/reference/config.ts does not say what ${key} is for`);
  const verbs = new Set(
    fileKeys()
      .filter(({ place }) => place === key)
      .map(({ verb }) => `\`${verb}\``),
  );
  const shown = isRequired ? `**\`${key}\`**` : `\`${key}\``;
  return `| ${shown} | ${cell(about)} | ${cell(expected)} | ${[...verbs].join(", ")} |`;
}
