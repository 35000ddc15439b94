import type { DefineSource } from "../../domain/lifecycle/define.ts";
import { printAnswer, printAs } from "../answer.ts";
import { EXIT } from "../exit-code.ts";
import { type Arguments, misuse } from "../options.ts";
import { flow } from "../output.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["define FILE", "define -- QEMU-COMMAND...", "define --pid PID", "define --running"],
  section: "domains",
  summary: "make a domain from a config, a QEMU command or a running QEMU",
  details: [
    "FILE is a launch config (JSON), or a shell script with one QEMU command in it. A QEMU command line is given as you would type it, after --.",
    "Some options have a place of their own in a config: -m, -smp, -name and monitors. They move there, and notes say so.",
    'A script is read, never run. Quotes, continued lines, cd, $(dirname "$0"), and variables and lists that it sets itself are understood. A line that only a shell can work out is refused; then run the script yourself, and define --pid the QEMU that it starts.',
    "Relative paths become absolute. For a command line or a script they start at the working folder, for a launch config at the folder of its file, for --pid at the working folder of that process.",
    "A config has no place for what runs QEMU (sudo, taskset, ip netns exec, ...). Put it in front of qmpctl start, or follow the advice in the refusal.",
    "--running adopts every QEMU of this host that is yours and that nobody manages, under its -name, or qemu-PID. They run on as they are, and one that can't be adopted does not stop the others. list --running shows them.",
    "What libvirt, Proxmox, Incus or a container manages is not adopted without --force: libvirt's monitor takes one client, and its next action would undo ours. qmpctl import takes such a machine over.",
  ],
  examples: [
    ["define web1.json", "from a launch config, which then has a machine's id"],
    ["define --name web1 -- qemu-system-x86_64 -m 1G -smp 2", "from a QEMU command line; all of it comes after --"],
    ["define --pid 4711", "from a QEMU that runs, which goes on as it is"],
    ["define --running --dry-run", "which QEMUs of this host would be adopted, and which not"],
  ],
  options: {
    name: { about: "the name of the domain", value: "NAME" },
    pid: { about: "take the command line of this running process", value: "PID" },
    running: { about: "adopt every QEMU that nobody manages" },
    replace: { about: "overwrite a config of that name, if there is one" },
    force: { about: "adopt also what libvirt, Proxmox or others manage" },
    "dry-run": { about: "with --running: write nothing" },
  },
  operands: { names: ["FILE"], required: 0, verbatim: true },
  async run(call) {
    const { args, facade } = call;
    if (args.flag("running")) return defineRunning(call);
    if (args.flag("dry-run")) throw misuse("--dry-run: is of --running", "--dry-run", "define --running --dry-run");
    const source = sourceOf(args);
    const name = args.text("name");
    const { domain, notes } = await facade.define(source, {
      ...(name === undefined ? {} : { name }),
      replace: args.flag("replace"),
      force: args.flag("force"),
    });
    const path = domain.configPath ?? null;
    const json = { name: domain.name, path, notes };
    printAnswer(call, { json, lines: [`${domain.name}: defined${path === null ? "" : ` in ${path}`}`], notes });
    return EXIT.done;
  },
});

async function defineRunning(call: Call<"replace" | "force" | "dry-run", "name" | "pid">): Promise<number> {
  const { args, io, facade } = call;
  const more = ["name", "pid"].filter((option) => args.text(option as "name" | "pid") !== undefined).map((option) => `--${option}`);
  const given = [...more, ...args.operands, ...(args.flag("replace") ? ["--replace"] : []), ...(args.verbatim === undefined ? [] : ["--"])];
  if (given[0] !== undefined) throw misuse(`--running: is of all of them, and ${given[0]} of one`, given[0], "--running alone");
  const { exitCodeOfAdoptions, NO_QEMU, showAdoptions } = await import("../running.ts");
  const done = await facade.adopt({ force: args.flag("force"), dryRun: args.flag("dry-run"), signal: io.signal });
  printAs(call, done, (all) => (all.length === 0 ? "" : showAdoptions(all, io)));
  if (done.length === 0 && !args.flag("json")) io.stderr.write(flow(NO_QEMU, io.stderr.columns));
  return exitCodeOfAdoptions(done);
}

function sourceOf(args: Arguments<never, "pid">): DefineSource {
  const expected = "a file, -- and a QEMU command line, --pid or --running";
  const sources: DefineSource[] = [];
  const pid = args.text("pid");
  if (pid !== undefined) sources.push({ pid: parsePid(pid) });
  if (args.operands[0] !== undefined) sources.push({ file: args.operands[0] });
  if (args.verbatim !== undefined) sources.push({ argv: args.verbatim });
  const [source] = sources;
  if (source === undefined) throw misuse(`FILE: missing; give ${expected}`, undefined, expected);
  if (sources.length > 1) throw misuse(`more than one source: give ${expected}`, sources.length, expected);
  if ("file" in source && source.file === "-") throw misuse("define -: it reads no standard input", "-", expected);
  if ("argv" in source && source.argv.length === 0) throw misuse("QEMU-COMMAND: missing after --", undefined, expected);
  return source;
}

function parsePid(text: string): number {
  const pid = /^\d+$/.test(text) ? Number(text) : 0;
  if (pid > 0 && Number.isSafeInteger(pid)) return pid;
  throw misuse(`--pid ${text}: not a process id`, text, "a process id, such as 4711");
}
