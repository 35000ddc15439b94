import { basename, dirname, resolve } from "node:path";
import { sharedArgs } from "../../config/command-line.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { type Mark, markOf } from "../../config/mark.ts";
import { type Listening, listeningMonitors } from "../../config/monitors.ts";
import { type Option, parseKeyValues, splitOptions } from "../../config/options.ts";

/** What a QEMU's command line says about it. */
export interface QemuWords {
  readonly name: string | null;
  readonly mark: Mark | undefined;
  readonly options: readonly Option[];
  /** Its QMP monitors, in the order of the command line. */
  readonly monitors: readonly Listening[];
  /** The run-time folder, which holds its pidfile and its control monitor; null if we did not start it. */
  readonly folder: string | null;
}

/**
 * Programs that run another program, named by one of the words after them: the interpreter of a script, the dynamic linker called by hand.
 */
const INTERPRETERS = /^(node|(ba|da|z|k)?sh|python[\d.]*|perl|env|ld(-.*)?\.so.*)$/;
/** How many words after such a program that other program can be. */
const REACH = 4;

/**
 * Whether a command line is that of a QEMU: its program, or the script that an interpreter runs, has such a name or is the emulator of a
 * config. A program that only has QEMU's words among its arguments (`tail -f`, `timeout`, `sudo`) is not.
 */
export function isQemu(argv: readonly string[], emulator?: string): boolean {
  return programAt(argv, emulator) !== undefined;
}

/** The position of QEMU's own program in a command line; undefined if it is not the command line of a QEMU. */
function programAt(argv: readonly string[], emulator?: string): number | undefined {
  const isIt = (word: string): boolean =>
    !/\s/.test(word) && (/qemu|kvm/i.test(basename(word)) || (emulator !== undefined && basename(word) === basename(emulator)));
  const reach = INTERPRETERS.test(basename(argv[0] ?? "")) ? REACH : 1;
  for (const [position, word] of argv.slice(0, reach).entries()) {
    if (isIt(word)) return position;
    // The words after a script belong to the script.
    const isOption = word.startsWith("-") || /^\w+=/.test(word) || WITH_VALUE.test(argv[position - 1] ?? "");
    if (position > 0 && !isOption) return undefined;
  }
  return undefined;
}

/** The words of a QEMU from its own program on, without the interpreter or dynamic linker before it. */
export function qemuWords(argv: readonly string[]): readonly string[] {
  return argv.slice(programAt(argv) ?? 0);
}

/** Options of such programs that take the next word as their value. */
const WITH_VALUE = /^(--[^=]+|-[rIoOCWX])$/;

/** Reads a QEMU's command line. Relative paths of sockets are resolved against `folder`, the folder that it was started in. */
export function readWords(argv: readonly string[], folder?: string): QemuWords {
  const options = splitOptions(argv.slice((programAt(argv) ?? 0) + 1));
  const monitors = listeningMonitors(options).map((each) =>
    each.kind === "unix" && folder !== undefined ? { ...each, path: resolve(folder, each.path) } : each,
  );
  return { name: nameOf(options), mark: markOf(options), options, monitors, folder: ourFolder(options, monitors) };
}

/** The name that a command line gives its machine: `-name NAME`, `-name guest=NAME`. */
export function nameOf(options: readonly Option[]): string | null {
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
 * Whether a QEMU without a mark runs this config. Its name must be the config's, or absent. Then one of these must hold: it has the same
 * name and writes one of the config's disks; it has the config's monitor; or all words are equal that qmpctl never changes.
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
  // If no such word is left, only a name can tell.
  return isSame && (given.length > 0 || words.name !== null);
}

/** Options that do not tell one machine from another: a start adds them, or a script or a person who runs QEMU. */
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

/** The files that a machine writes as its disks. Files that it only reads can belong to many machines. */
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
