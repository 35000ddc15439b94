import { UsageError } from "../errors.ts";
import { defaultMonitor } from "./default-monitor.ts";
import { whyNoEmulator } from "./emulator.ts";
import { backendSize } from "./fixed-sizes.ts";
import { type LaunchConfig, parseLaunchConfig } from "./launch.ts";
import { controlMonitors } from "./monitors.ts";
import { checkName } from "./names.ts";
import { machineTypeOf, valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";
import { pluggedByArgs } from "./plugged.ts";
import { type BoardDefaults, countsOf, type MemoryText, ramOf, readMemory, readTopology } from "./qemu-values.ts";
import { isStdio } from "./stdio.ts";
import { type Taken, takeOut } from "./taken.ts";
import { obstaclesIn } from "./unstarted.ts";

/** A config made from a command line: its text, the config that it is, and a note for each option that is no longer in `args`. */
export interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
}

/** How a command line is read. */
export interface CommandLineOptions {
  /** Stands in for `-name`, and goes before it. */
  readonly name?: string;
  readonly id?: string;
  /** False for no key `monitor`, though there may be a monitor. */
  readonly monitor?: false;
  /** It is that of a QEMU that runs: how its machine came to be is over. */
  readonly running?: boolean;
  /** What the board has where the command line does not say it, see `boardOf`. */
  readonly board?: BoardDefaults;
}

/**
 * Makes a launch config from a whole QEMU command line (the emulator first), as typed, out of a script, or of a running process. What
 * the config's structure owns is taken out of it, the rest stays word for word in its order.
 *
 * @throws UsageError where a value can't be read, there is no name, it starts no machine, or a size is left to the board and not given;
 * ConfigError where the whole is no valid config
 */
export function fromCommandLine(argv: readonly string[], options: CommandLineOptions = {}): Definition {
  mustBeMachine(argv, options);
  const [emulator = "", ...words] = argv;
  const given = splitOptions(words);
  const taken = takeOut(given, { keepsMonitor: options.monitor ?? true, running: options.running ?? false });
  const name = checkName(options.name ?? taken.name.get("guest") ?? missingName(emulator));
  const { ram, counts } = sizesOf(emulator, taken, options.board);
  const memory = readMemory(taken.memory, ram);
  const topology = readTopology(taken.smp);
  const plugged = pluggedByArgs(
    taken.rest.flatMap((option) => option.words),
    topology?.threads,
  );
  const vcpus = { max: counts.max, current: counts.current + plugged, ...(topology === undefined ? {} : { topology }) };
  const added = defaultMonitor(given);
  const args = [...taken.rest, ...added];
  const text = write({ name, id: options.id, emulator, memory, vcpus, args, monitor: taken.monitor });
  const why = "added, QEMU has it by itself only where there is no other monitor";
  const notes = [...taken.notes, ...added.map((option) => `${option.words.join(" ")}: ${why}`), ...args.flatMap(noteLater)];
  return { text, config: parseLaunchConfig(text, `the command line of ${name}`), notes };
}

/** What PC machines of every type have (measured, 5.2 to 11.1). Others differ from board to board. */
const PC: BoardDefaults = { memory: 128 * 1024 ** 2, vcpus: 1 };

/** A question that only the emulator can answer: what its board has where the command line does not say it. */
export interface BoardQuestion {
  readonly emulator: string;
  /** Undefined where it is left to the emulator as well. */
  readonly machine: string | undefined;
  /** What it is booted from, in words: some boards are not set up without. */
  readonly boot: readonly string[];
}

const BOOT: ReadonlySet<string> = new Set(["kernel", "bios", "pflash", "dtb", "initrd"]);

/** What has to be asked of the emulator before a command line can be read; undefined where it says all. */
export function boardOf(argv: readonly string[]): BoardQuestion | undefined {
  const [emulator = "", ...words] = argv;
  const options = splitOptions(words);
  const taken = takeOut(options);
  const isSaid = countsOf(taken.smp) !== undefined && (ramOf(taken.memory) ?? backendSize(options)) !== undefined;
  if (isSaid || isPc(emulator)) return undefined;
  const boot = options.filter(({ name }) => BOOT.has(name)).flatMap((option) => option.words);
  return { emulator, machine: machineTypeOf(options), boot };
}

function isPc(emulator: string): boolean {
  return /(x86_64|i386)[^/]*$/.test(emulator);
}

interface Sizes {
  readonly ram: number;
  readonly counts: { readonly max: number; readonly current: number };
}

function sizesOf(emulator: string, { memory, smp, rest }: Taken, asked: BoardDefaults | undefined): Sizes {
  const board = asked ?? (isPc(emulator) ? PC : undefined);
  const ram = ramOf(memory) ?? backendSize(rest) ?? board?.memory;
  const counts = countsOf(smp) ?? (board === undefined ? undefined : { max: board.vcpus, current: board.vcpus });
  if (ram === undefined || counts === undefined) unknownBoard(rest, ram === undefined ? "-m" : "-smp");
  if (ram === 0) {
    const expected = "a machine with RAM of its own (-m)";
    throw new UsageError("command line: this board has no memory that could be given to it", { value: emulator, expected });
  }
  return { ram, counts };
}

function unknownBoard(options: readonly Option[], missing: string): never {
  const machine = machineTypeOf(options) ?? "this machine";
  const expected = "-m SIZE and -smp N on the command line";
  const why = `it has no ${missing}, and what ${machine} has without it is not known here`;
  throw new UsageError(`command line: ${why}`, { value: machine, expected });
}

/**
 * The words of a command line (without the emulator) that a config would have in its `args`: two command lines that agree in them are
 * those of one machine, whatever it was given otherwise. Monitors by `-mon` can be in a config's `args` too, where somebody wrote them
 * there.
 */
export function sharedArgs(words: readonly string[], monitors: "kept" | "dropped"): readonly string[] {
  const options = splitOptions(words);
  const kept = monitors === "kept" ? new Set(controlMonitors(options).keys()) : undefined;
  return [...takeOut(options, { kept, running: true }).rest, ...defaultMonitor(options)].flatMap((option) => option.words);
}

/**
 * What can be said of a command line before its sizes are known. @throws UsageError where it does not begin with an emulator, or starts no
 * machine
 */
export function mustBeMachine(argv: readonly string[], { running = false }: CommandLineOptions = {}): void {
  const why = whyNoEmulator(argv);
  const emulator = "a command line that begins with QEMU's own program, as qemu-system-x86_64";
  if (why !== undefined) throw new UsageError(`command line: ${why}`, { value: argv[0] ?? "", expected: emulator });
  for (const obstacle of obstaclesIn(splitOptions(argv.slice(1)))) {
    const words = obstacle.option.words.join(" ");
    if (obstacle.once && running) continue;
    throw new UsageError(`command line: ${words}: ${obstacle.why}`, { value: words, expected: obstacle.expected });
  }
}

function missingName(emulator: string): never {
  const expected = "-name NAME on the command line, or a name given with it";
  throw new UsageError("command line: it has no -name", { value: emulator, expected });
}

const CONSOLE = "what it writes goes to the file console of the run-time folder, what it reads comes from console.in there";

/** What there is to know of an option that stays as it is: it does not work as before, or not at the next start. */
function noteLater(option: Option): readonly string[] {
  const { name, words } = option;
  const given = words.join(" ");
  return [
    ...(isStdio(option) ? [`${given}: ${CONSOLE}`] : []),
    ...(name === "loadvm" ? [`${given}: every start goes back to this snapshot`] : []),
    ...(namesDescriptor(option) ? [`${given}: names a descriptor of that process, which a new one won't have`] : []),
  ];
}

/**
 * Whether an option needs a descriptor of QEMU's own process: in either notation, as an address (`addr.type=fd`), or by a set that
 * `-add-fd` made.
 */
function namesDescriptor(option: Option): boolean {
  const { name, value = "" } = option;
  if (name === "append") return false;
  if (/(^|[=:,"'])\/dev\/fdset\/\d/.test(value)) return true;
  return [...valuesOf(option, "")].some(([key, text]) => /(^|\.)(fds?|vhostfds?)$/.test(key) || (/(^|\.)type$/.test(key) && text === "fd"));
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
  const members = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)}: ${typeof each === "object" ? inline(each as object) : JSON.stringify(each)}`,
  );
  return `{ ${members.join(", ")} }`;
}
