import { takeSizes } from "./machine-sizes.ts";
import { markOf } from "./mark.ts";
import { controlMonitors, ourFolder, readSocket } from "./monitors.ts";
import { type Option, parseKeyValues } from "./options.ts";
import { needsTerminal } from "./stdio.ts";
import { obstaclesIn } from "./unstarted.ts";

/** What a command line has for a config's structure, and the rest of it, in order. */
export interface Taken {
  readonly name: Map<string, string>;
  /** What `-m` says in all its uses together: repeated options add up, as in QEMU. */
  readonly memory: Map<string, string>;
  readonly smp: Map<string, string>;
  readonly rest: Option[];
  readonly notes: string[];
  monitor: string | undefined;
}

/** How options are taken out. */
export interface TakeOptions {
  /** Whether the command line's own monitor is kept, as the key `monitor`; true unless told. */
  readonly keepsMonitor?: boolean;
  /** Options that stay, though they would be taken out. */
  readonly kept?: ReadonlySet<Option> | undefined;
  /** The options are of a running QEMU: those about how its machine came to be are taken out. */
  readonly running?: boolean;
}

interface Work extends Taken {
  readonly keepsMonitor: boolean;
  readonly ours: string | undefined;
}

/**
 * Takes out of a command line (without the emulator) what the config's structure owns, and what start does itself.
 *
 * @throws UsageError when a size of `-machine` can't be read
 */
export function takeOut(options: readonly Option[], { keepsMonitor = true, kept = new Set(), running = false }: TakeOptions = {}): Taken {
  const taken: Taken = { name: new Map(), memory: new Map(), smp: new Map(), rest: [], notes: [], monitor: undefined };
  const work: Work = { ...taken, keepsMonitor, ours: ourFolder(options) };
  const monitors = controlMonitors(options);
  const over = new Set(
    running
      ? obstaclesIn(options)
          .filter(({ once }) => once)
          .map(({ option }) => option)
      : [],
  );
  for (const option of options) {
    const { name, value = "" } = option;
    if (name === "m") merge(work.memory, value, "size");
    else if (name === "smp") merge(work.smp, value, "cpus");
    else if (name === "name") takeName(work, value);
    else if (name === "qmp" || name === "qmp-pretty") takeMonitor(work, option, monitors.get(option) ?? readSocket(value));
    else if (kept.has(option)) work.rest.push(option);
    else if (monitors.has(option)) takeMonitor(work, option, monitors.get(option));
    else if (over.has(option)) note(work, option, "dropped, it says how this machine came to be, not how to start it");
    else takeOther(work, option);
  }
  return work;
}

const NO_TERMINAL = "a machine in the background has no terminal; -vnc unix:PATH shows its screen elsewhere";

function merge(values: Map<string, string>, text: string, first: string): void {
  for (const [key, value] of parseKeyValues(text, first)) values.set(key, value);
}

function note({ notes }: Work, { words }: Option, what: string): void {
  notes.push(`${words.join(" ")}: ${what}`);
}

function takeName(work: Work, value: string): void {
  merge(work.name, value, "guest");
  const process = work.name.get("process");
  if (process !== undefined) work.notes.push(`-name process=${process}: dropped, the process keeps the emulator's name`);
}

function takeMonitor(work: Work, option: Option, socket: string | undefined): void {
  const isOurs = work.ours !== undefined && socket?.startsWith(`${work.ours}/`) === true;
  if (work.keepsMonitor && socket !== undefined && !isOurs && (work.monitor ?? socket) === socket) {
    note(work, option, 'now the key "monitor"');
    work.monitor = socket;
  } else {
    note(work, option, "dropped, a started machine has monitors of its own");
  }
}

function takeOther(work: Work, option: Option): void {
  const { name, value } = option;
  const isOurs = (own: string): boolean => work.ours !== undefined && value === own;
  if (markOf([option]) !== undefined) note(work, option, "dropped, start marks the machine itself");
  else if (name === "S") note(work, option, "dropped, start launches the machine stopped and lets it go itself");
  else if (name === "daemonize") note(work, option, "dropped, start puts the machine in the background itself");
  else if (name === "pidfile") note(work, option, "dropped, start keeps the pidfile in the run-time folder");
  else if (name === "D" && isOurs(`${work.ours}/log`)) note(work, option, "dropped, start keeps the log in the run-time folder");
  else if (name === "trace" && isOurs("qemu_system_shutdown_request")) note(work, option, "dropped, start asks for it itself");
  else if (needsTerminal(option)) note(work, option, `dropped, ${NO_TERMINAL}`);
  else takeRest(work, option);
}

function takeRest(work: Work, option: Option): void {
  const { smp, memory, rest } = takeSizes(option);
  for (const [key, value] of smp) work.smp.set(key, value);
  for (const [key, value] of memory) work.memory.set(key, value);
  if (rest !== undefined) work.rest.push(rest);
}
