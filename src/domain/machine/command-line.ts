import { basename, dirname, resolve } from "node:path";
import { sharedArgs } from "../../config/command-line.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { type Mark, markOf } from "../../config/mark.ts";
import { type Listening, listeningMonitors } from "../../config/monitors.ts";
import { type Option, parseKeyValues, splitOptions } from "../../config/options.ts";

/** What a QEMU's command line says of it. */
export interface QemuWords {
  readonly name: string | null;
  readonly mark: Mark | undefined;
  readonly options: readonly Option[];
  /** Its QMP monitors, in the order of the command line. */
  readonly monitors: readonly Listening[];
  /** The run-time folder, where it was started by us: the one of its pidfile and its control monitor. */
  readonly folder: string | null;
}

/** Programs that run what one of the words after them names: a script's interpreter, the dynamic linker called by hand. */
const INTERPRETERS = /^(node|(ba|da|z|k)?sh|python[\d.]*|perl|env|ld(-.*)?\.so.*)$/;
/** How far behind such a program that word may be. */
const REACH = 4;

/**
 * Whether a command line is that of a QEMU: its program, or the script that an interpreter runs, is called so, or is the emulator of a
 * config. What only has QEMU's words among its arguments (`tail -f`, `timeout`, `sudo`) is none.
 */
export function isQemu(argv: readonly string[], emulator?: string): boolean {
  return programAt(argv, emulator) !== undefined;
}

/** Where QEMU's own program stands in a command line; undefined where it is not one of QEMU. */
function programAt(argv: readonly string[], emulator?: string): number | undefined {
  const isIt = (word: string): boolean =>
    !/\s/.test(word) && (/qemu|kvm/i.test(basename(word)) || (emulator !== undefined && basename(word) === basename(emulator)));
  const reach = INTERPRETERS.test(basename(argv[0] ?? "")) ? REACH : 1;
  for (const [position, word] of argv.slice(0, reach).entries()) {
    if (isIt(word)) return position;
    // What stands behind a script is the script's.
    const isOption = word.startsWith("-") || /^\w+=/.test(word) || WITH_VALUE.test(argv[position - 1] ?? "");
    if (position > 0 && !isOption) return undefined;
  }
  return undefined;
}

/** The words of a QEMU from its own program on: what an interpreter, or the dynamic linker, is called with stands before it. */
export function qemuWords(argv: readonly string[]): readonly string[] {
  return argv.slice(programAt(argv) ?? 0);
}

/** Options of such programs whose value is the next word. */
const WITH_VALUE = /^(--[^=]+|-[rIoOCWX])$/;

/** Reads a QEMU's command line. `folder` is the one that it was started in: relative paths of sockets are meant from there. */
export function readWords(argv: readonly string[], folder?: string): QemuWords {
  const options = splitOptions(argv.slice((programAt(argv) ?? 0) + 1));
  const monitors = listeningMonitors(options).map((each) =>
    each.kind === "unix" && folder !== undefined ? { ...each, path: resolve(folder, each.path) } : each,
  );
  return { name: nameOf(options), mark: markOf(options), options, monitors, folder: ourFolder(options, monitors) };
}

function nameOf(options: readonly Option[]): string | null {
  const value = options.findLast(({ name }) => name === "name")?.value;
  return value === undefined ? null : (parseKeyValues(value, "guest").get("guest") ?? null);
}

function ourFolder(options: readonly Option[], monitors: readonly Listening[]): string | null {
  const pidfile = options.findLast(({ name }) => name === "pidfile")?.value;
  if (pidfile === undefined || basename(pidfile) !== "pid") return null;
  const folder = dirname(pidfile);
  return monitors.some((each) => each.kind === "unix" && each.path === `${folder}/control.sock`) ? folder : null;
}

/**
 * Whether a QEMU without a mark runs this config: it has its name, or none, and either all the words that are not ours to change, or the
 * config's monitor. One of the same name that writes the same disk is the same machine too, whatever else was edited since.
 */
export function runsConfig(argv: readonly string[], words: QemuWords, config: LaunchConfig): boolean {
  if (words.name !== null && words.name !== config.name) return false;
  const paths = words.monitors.flatMap((each) => (each.kind === "unix" ? [each.path] : []));
  if (config.monitor !== undefined && paths.includes(config.monitor)) return true;
  const disks = new Set(disksOf(splitOptions(config.args)));
  if (words.name === config.name && disksOf(words.options).some((disk) => disks.has(disk))) return true;
  // Two configs can agree in every word but their monitors.
  if (config.monitor !== undefined && paths.length > 0) return false;
  const own = argv.slice((programAt(argv, config.emulator) ?? 0) + 1);
  const given = telling(config.args);
  const isSame = (["dropped", "kept"] as const).some((monitors) => sameWords(telling(sharedArgs(own, monitors)), given));
  // Where nothing is left that tells machines apart, only a name does.
  return isSame && (given.length > 0 || words.name !== null);
}

/** Options that tell no machine from another: a start adds them, a script that runs QEMU does, a person at a terminal. */
const NOT_TELLING: ReadonlySet<string> = new Set(["L", "D", "d", "trace", "msg", "display"]);

/** The words that tell a machine from others. */
function telling(words: readonly string[]): readonly string[] {
  return splitOptions(words)
    .filter(({ name }) => !NOT_TELLING.has(name))
    .flatMap((option) => option.words);
}

function sameWords(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, position) => word === other[position]);
}

/** The files that a machine writes as its disks; those that it only reads are shared by many. */
function disksOf(options: readonly Option[]): readonly string[] {
  return options.flatMap(({ name, value = "" }) => {
    if (/^hd[a-d]$/.test(name)) return [value];
    if (name !== "drive" && name !== "blockdev") return [];
    const values = parseKeyValues(value, "driver");
    const readOnly =
      ["on", "true", "yes", "y"].includes(values.get("readonly") ?? values.get("read-only") ?? "off") || values.get("media") === "cdrom";
    const file = values.get("file") ?? values.get("filename") ?? values.get("file.filename");
    return file === undefined || file === "" || readOnly || file.startsWith("/dev/null") ? [] : [file];
  });
}
