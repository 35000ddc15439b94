import { UsageError } from "../errors.ts";
import { type LaunchConfig, parseLaunchConfig } from "./launch.ts";
import { controlMonitors, ourFolder, readSocket } from "./monitors.ts";
import { markOf } from "./mark.ts";
import { checkName } from "./names.ts";
import { escapeCommas, type Option, parseKeyValues, splitOptions } from "./options.ts";
import { withoutTerminal } from "./owned.ts";
import { type MemoryText, readMemory, readVcpus } from "./qemu-values.ts";

/** A config made from a command line: its text, the config that it is, and a note for each option that is no longer in `args`. */
export interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
}

/** Programs that run another one. What they add is not a part of a launch config, so it must not be lost silently. */
const WRAPPERS = /^(sudo|doas|env|nice|ionice|chrt|nohup|setsid|taskset|numactl|time|timeout|systemd-run|sh|bash|gdb|strace)$/;

/**
 * Makes a launch config from a whole QEMU command line (the emulator first), as typed, out of a script, or of a running process. What
 * the config's structure owns is taken out of it, the rest stays word for word in its order. `name` stands in for `-name`, and goes before it; with `monitor: false` there is no key
 * `monitor`, though there may be a monitor.
 * UsageError where a value can't be read or there is no name; ConfigError where the whole is no valid config.
 */
export function fromCommandLine(argv: readonly string[], options: { readonly name?: string; readonly id?: string; readonly monitor?: false } = {}): Definition {
  const [emulator = "", ...words] = argv;
  checkEmulator(emulator);
  const taken = takeOut(splitOptions(words), options.monitor);
  const name = checkName(options.name ?? taken.name.get("guest") ?? missingName(emulator));
  const memory = readMemory(taken.memory);
  const vcpus = readVcpus(taken.smp);
  const text = write({ name, id: options.id, emulator, memory, vcpus, args: taken.rest, monitor: taken.monitor });
  return { text, config: parseLaunchConfig(text, `the command line of ${name}`), notes: [...taken.notes, ...laterNotes(taken.rest)] };
}

/**
 * The words of a command line (without the emulator) that a config would have in its `args`: two command lines that agree in them are
 * those of one machine, whatever it was given otherwise. Monitors by `-mon` can be in a config's `args` too, where somebody wrote them there.
 */
export function sharedArgs(words: readonly string[], monitors: "kept" | "dropped"): readonly string[] {
  const options = splitOptions(words);
  const kept = monitors === "kept" ? new Set(controlMonitors(options).keys()) : undefined;
  return takeOut(options, true, kept).rest.flatMap((option) => option.words);
}

function checkEmulator(emulator: string): void {
  const program = emulator.slice(emulator.lastIndexOf("/") + 1);
  const why = emulator === "" ? "it is empty" : WRAPPERS.test(program) ? `it begins with ${program}` : /^\w+=/.test(emulator) ? "it begins with a variable" : emulator.startsWith("-") ? "it begins with an option" : undefined;
  if (why !== undefined) throw new UsageError(`command line: ${why}, not with the emulator`, { value: emulator, expected: "a command line that begins with QEMU's own program, as qemu-system-x86_64" });
}

function missingName(emulator: string): never {
  throw new UsageError("command line: it has no -name", { value: emulator, expected: "-name NAME on the command line, or a name given with it" });
}

interface Taken {
  readonly name: Map<string, string>;
  readonly memory: Map<string, string>;
  readonly smp: Map<string, string>;
  readonly rest: Option[];
  readonly notes: string[];
  readonly ours: string | undefined;
  /** Whether a monitor of its own is kept, as the key `monitor`. */
  readonly keepsMonitor: boolean;
  monitor: string | undefined;
}

function takeOut(options: readonly Option[], keepsMonitor: boolean = true, kept: ReadonlySet<Option> = new Set()): Taken {
  const taken: Taken = { name: new Map(), memory: new Map(), smp: new Map(), rest: [], notes: [], ours: ourFolder(options), keepsMonitor, monitor: undefined };
  const monitors = controlMonitors(options);
  for (const option of options) {
    const { name, value = "" } = option;
    if (name === "m") merge(taken.memory, value, "size");
    else if (name === "smp") merge(taken.smp, value, "cpus");
    else if (name === "name") takeName(taken, value);
    else if (name === "qmp" || name === "qmp-pretty") takeMonitor(taken, option, readSocket(value));
    else if (kept.has(option)) taken.rest.push(option);
    else if (monitors.has(option)) takeMonitor(taken, option, monitors.get(option));
    else if (markOf([option]) !== undefined) taken.notes.push(`${option.words.join(" ")}: dropped, start marks the machine itself`);
    else takeOther(taken, option);
  }
  return taken;
}

/** Repeated options add up, as in QEMU: the last value of a key counts. */
function merge(values: Map<string, string>, text: string, first: string): void {
  for (const [key, value] of parseKeyValues(text, first)) values.set(key, value);
}

function takeName(taken: Taken, value: string): void {
  merge(taken.name, value, "guest");
  const process = taken.name.get("process");
  if (process !== undefined) taken.notes.push(`-name process=${process}: dropped, the process keeps the emulator's name`);
}

function takeMonitor(taken: Taken, option: Option, socket: string | undefined): void {
  const words = option.words.join(" ");
  const isOurs = taken.ours !== undefined && socket?.startsWith(`${taken.ours}/`) === true;
  if (taken.keepsMonitor && socket !== undefined && !isOurs && (taken.monitor ?? socket) === socket) {
    taken.notes.push(`${words}: now the key "monitor"`);
    taken.monitor = socket;
  } else {
    taken.notes.push(`${words}: dropped, a started machine has monitors of its own`);
  }
}

function takeOther(taken: Taken, option: Option): void {
  const words = option.words.join(" ");
  const hint = withoutTerminal(option);
  if (option.name === "S") taken.notes.push(`${words}: dropped, start launches the machine stopped and lets it go itself`);
  else if (option.name === "daemonize") taken.notes.push(`${words}: dropped, start puts the machine in the background itself`);
  else if (option.name === "pidfile") taken.notes.push(`${words}: dropped, start keeps the pidfile in the run-time folder`);
  else if (option.name === "D" && taken.ours !== undefined && option.value === `${taken.ours}/log`) taken.notes.push(`${words}: dropped, start keeps the log in the run-time folder`);
  else if (option.name === "trace" && taken.ours !== undefined && option.value === "qemu_system_shutdown_request") taken.notes.push(`${words}: dropped, start asks for it itself`);
  else if (hint !== undefined && option.name === "chardev") replaceTerminal(taken, option);
  else if (hint !== undefined) taken.notes.push(`${words}: dropped, a machine in the background has no terminal; there is ${hint.replace(/,$/, "")}`);
  else taken.rest.push(option);
}

/** Other options may name a character device by its id, so it can't just go. */
function replaceTerminal(taken: Taken, { value = "", words }: Option): void {
  const instead = `null,id=${escapeCommas(parseKeyValues(value, "backend").get("id") ?? "")}`;
  taken.notes.push(`${words.join(" ")}: now ${instead}, as a machine in the background has no terminal`);
  taken.rest.push({ name: "chardev", words: ["-chardev", instead], value: instead });
}

/** What stays as it is and may not work at the next start. */
function laterNotes(rest: readonly Option[]): readonly string[] {
  return rest.flatMap(({ name, words, value = "" }) => [
    ...(isRelative(name, name === "" ? (words[0] ?? "") : value) ? [`${words.join(" ")}: a relative path, which start looks for in the folder of the config`] : []),
    ...(/(^|,)(fds?|vhostfds?)=\d/.test(value) ? [`${words.join(" ")}: names a descriptor of that process, which a new one won't have`] : []),
    ...(/(^|,)memory-backend=/.test(value) ? [`${words.join(" ")}: its backend must have the size of memory.max`] : []),
  ]);
}

/** Options whose whole argument is a file; "" is a bare word, a disk image. */
const FILE_OPTIONS = new Set(["", "kernel", "initrd", "dtb", "bios", "hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "sd", "mtdblock", "pflash"]);

function isRelative(name: string, value: string): boolean {
  const files = FILE_OPTIONS.has(name) ? [value] : ["file", "filename", "path", "mem-path"].map((key) => parseKeyValues(value, "").get(key));
  return files.some((file) => file !== undefined && file !== "" && /^[^/:{]+(\/|$)/.test(file));
}

interface Draft {
  readonly name: string;
  readonly id: string | undefined;
  readonly emulator: string;
  readonly memory: MemoryText;
  readonly vcpus: Pick<LaunchConfig["vcpus"], "max" | "current" | "topology">;
  readonly args: readonly Option[];
  readonly monitor: string | undefined;
}

/** One line for each key and each option, so that later changes show as one line of a diff. */
function write({ name, id, emulator, memory, vcpus, args, monitor }: Draft): string {
  const words = args.map((option) => `    ${option.words.map((each) => JSON.stringify(each)).join(", ")}`);
  const members = [
    `"name": ${JSON.stringify(name)}`,
    ...(id === undefined ? [] : [`"id": ${JSON.stringify(id)}`]),
    `"emulator": ${JSON.stringify(emulator)}`,
    `"memory": ${inline(memory)}`,
    `"vcpus": ${inline(vcpus)}`,
    ...(monitor === undefined ? [] : [`"monitor": ${JSON.stringify(monitor)}`]),
    `"args": [${words.length === 0 ? "" : `\n${words.join(",\n")}\n  `}]`,
  ];
  return `{\n${members.map((member) => `  ${member}`).join(",\n")}\n}\n`;
}

function inline(value: object): string {
  const members = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${typeof each === "object" ? inline(each as object) : JSON.stringify(each)}`);
  return `{ ${members.join(", ")} }`;
}
