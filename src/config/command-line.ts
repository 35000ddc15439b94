import { UsageError } from "../errors.ts";
import { agentSocket } from "./agent-socket.ts";
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

/** A config made from a command line: its text, the parsed config, and a note for each option that is no longer in `args`. */
export interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
}

/** How a command line is read. */
export interface CommandLineOptions {
  /** Used in place of `-name`, even if there is one. */
  readonly name?: string;
  readonly id?: string;
  /** False: the config gets no key `monitor`, even if the command line has a monitor. */
  readonly monitor?: false;
  /** The command line is of a running QEMU: options about how its machine came to be no longer matter. */
  readonly running?: boolean;
  /** What the board has if the command line does not say, see `boardOf`. */
  readonly board?: BoardDefaults;
}

/**
 * Makes a launch config from a whole QEMU command line (the emulator first): as typed, from a script, or from a running process. What the
 * config's structure owns is taken out of it; the rest stays word for word, in order.
 *
 * @throws UsageError when a value can't be read, there is no name, it starts no machine, or a size is left to the board and not known;
 *   ConfigError when the result is not a valid config
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
  const text = write({ name, id: options.id, emulator, memory, vcpus, args, monitor: taken.monitor, agent: agentSocket(args) });
  const why = "added, QEMU has it by itself only where there is no other monitor";
  const notes = [...taken.notes, ...added.map((option) => `${option.words.join(" ")}: ${why}`), ...args.flatMap(noteLater)];
  return { text, config: parseLaunchConfig(text, `the command line of ${name}`), notes };
}

/** What PC machines of every type have (measured, 5.2 to 11.1). Other boards differ. */
const PC: BoardDefaults = { memory: 128 * 1024 ** 2, vcpus: 1 };

/** A question that only the emulator can answer: what its board has if the command line does not say. */
export interface BoardQuestion {
  readonly emulator: string;
  /** Undefined if the command line leaves that to the emulator too. */
  readonly machine: string | undefined;
  /** The words for what it boots from: some boards can't be set up without them. */
  readonly boot: readonly string[];
}

const BOOT: ReadonlySet<string> = new Set(["kernel", "bios", "pflash", "dtb", "initrd"]);

/** What to ask the emulator before its command line can be read; undefined if the command line says everything. */
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
    throw new UsageError("command line: this board has no RAM whose size could be set", { value: emulator, expected });
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
 * The words of a command line (without the emulator) that a config would have in its `args`. Two command lines that agree in these are of
 * one machine, whatever sizes it was given. Monitors by `-mon` can be in a config's `args` too, if somebody wrote them there.
 */
export function sharedArgs(words: readonly string[], monitors: "kept" | "dropped"): readonly string[] {
  const options = splitOptions(words);
  const kept = monitors === "kept" ? new Set(controlMonitors(options).keys()) : undefined;
  return [...takeOut(options, { kept, running: true }).rest, ...defaultMonitor(options)].flatMap((option) => option.words);
}

/**
 * Checks what can be checked before the sizes are known.
 *
 * @throws UsageError when the command line does not begin with an emulator, or starts no machine
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

/** Notes for an option that stays as it is but does not work as before, or not at the next start. */
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
 * Whether an option needs a descriptor of its own QEMU process: in either notation, as an address (`addr.type=fd`), or by a set that
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
  readonly agent: string | undefined;
}

/** Writes one line for each key and each option, so that a later change shows as one line of a diff. */
function write({ name, id, emulator, memory, vcpus, args, monitor, agent }: Draft): string {
  const words = args.map((option) => `    ${option.words.map((each) => JSON.stringify(each)).join(", ")}`);
  const members = [
    `"name": ${JSON.stringify(name)}`,
    ...(id === undefined ? [] : [`"id": ${JSON.stringify(id)}`]),
    `"emulator": ${JSON.stringify(emulator)}`,
    `"memory": ${inline(memory)}`,
    `"vcpus": ${inline(vcpus)}`,
    ...(monitor === undefined ? [] : [`"monitor": ${JSON.stringify(monitor)}`]),
    ...(agent === undefined ? [] : [`"agent": ${JSON.stringify(agent)}`]),
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
