import { access, readFile, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { anchor, type Anchored, fromFolder } from "../../config/anchor.ts";
import { ConfigError } from "../../config/config-error.ts";
import { editJson } from "../../config/edit.ts";
import { isQemuVersion, isSurelyQemu, nameOf, whyNoEmulator } from "../../config/emulator.ts";
import { type LaunchConfig, parseLaunchConfig } from "../../config/launch.ts";
import { splitOptions } from "../../config/options.ts";
import { readSafely } from "../../config/safe-file.ts";
import { readScript } from "../../config/shell-words.ts";
import { HostError, messageOf, UsageError } from "../../errors.ts";
import { findProcesses, folderOfProcess, type Process, processAt, programOf } from "../../host/processes.ts";
import { findProgram } from "../../host/programs.ts";
import { versionOf } from "../../host/version.ts";
import { isQemu, qemuWords, readWords } from "../machine/command-line.ts";
import { defineFrom } from "./board.ts";

/**
 * Where a config comes from: a file (a launch config, or a script with one QEMU command in it), a QEMU command line in words,
 * or the command line of a process that runs. Relative paths of a script or of words are meant from `folder`, as a shell would that runs
 * them: the working folder, where
 * nothing is said; those of a process, and of a config, from its own.
 */
export type DefineSource =
  | { readonly file: string; readonly folder?: string }
  | { readonly argv: readonly string[]; readonly folder?: string }
  | { readonly pid: number };

/** A config read from a source, and what was taken out or moved on the way. */
export interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
  /** The process that it is the command line of, which it adopts, and its words as they were read. */
  readonly process?: Process;
}

/**
 * Reads a source. Nothing of it is run, but a program whose name is not one of QEMU's, for its `--version`.
 *
 * @throws UsageError for what is no QEMU's command line; ConfigError; HostError where there is no such process
 */
export async function readSource(source: DefineSource, name: string | undefined): Promise<Definition> {
  const called = name === undefined ? {} : { name };
  if ("pid" in source) return ofProcess(source.pid, called);
  const folder = await realpath(source.folder ?? ".").catch((cause: unknown) => {
    throw new HostError(`the working folder can't be read: ${messageOf(cause)}`, {}, { cause });
  });
  if ("argv" in source) return fromWords(source.argv, folder, called);
  const { text } = await readSafely(source.file).catch((error: unknown) => {
    if (error instanceof ConfigError && error.problem === "missing")
      throw new ConfigError(
        source.file,
        "missing",
        "there is no such file; give a launch config, or a script with one QEMU command in it",
        { cause: error },
      );
    throw error;
  });
  if (!text.trimStart().startsWith("{")) return fromScript(text, source.file, folder, called);
  const config = parseLaunchConfig(text, source.file);
  if (name !== undefined && name !== config.name) {
    throw new UsageError(`name ${JSON.stringify(name)}: the config in ${source.file} names itself ${JSON.stringify(config.name)}`, {
      value: name,
      expected: "the same name, or none",
    });
  }
  return fromConfig(text, config, dirname(await realpath(source.file)));
}

/** A config is kept to the letter but for relative paths: they are meant from its own folder, which `define` puts it out of. */
function fromConfig(text: string, config: LaunchConfig, folder: string): Definition {
  const anchored = anchor([config.emulator, ...config.args], folder);
  const args = anchored.argv.slice(1);
  const edits = args.flatMap((word, position) =>
    word === config.args[position] ? [] : [{ path: ["args", String(position)], value: word }],
  );
  return noted({ text: editJson(text, edits), config: { ...config, args }, notes: [] }, anchored, folder);
}

interface Called {
  readonly name?: string;
}

async function fromScript(text: string, file: string, folder: string, called: Called): Promise<Definition> {
  const own = resolve(dirname(file));
  const { words, notes, folder: where } = readScript(text, folder, { own, real: dirname(await realpath(file)) });
  const made = await fromWords(words, where, called);
  return { ...made, notes: [...notes, ...made.notes] };
}

/** Words as they are typed: nothing of them has to be running. */
async function fromWords(argv: readonly string[], folder: string, called: Called): Promise<Definition> {
  const damaged = argv.find((word) => word.includes("\ufffd"));
  if (damaged !== undefined) throw notUtf8(`command line: ${JSON.stringify(damaged)}`);
  const anchored = anchor(argv, folder);
  await mustBeQemu(argv, anchored.argv[0] ?? "");
  return noted(await defineFrom(anchored.argv, called), anchored, folder);
}

/** `path`: the emulator, as it can be found. @throws UsageError where a command line begins with something else than a QEMU */
async function mustBeQemu(argv: readonly string[], path: string): Promise<void> {
  const [emulator = ""] = argv;
  const expected = "a command line that begins with QEMU's own program, as qemu-system-x86_64";
  const why = whyNoEmulator(argv);
  if (why !== undefined) throw new UsageError(`command line: ${why}`, { value: emulator, expected });
  if (isSurelyQemu(emulator)) return;
  const program = findProgram(path);
  const said = "path" in program ? await versionOf(program.path) : null;
  if (said !== null && isQemuVersion(said)) return;
  const reason = "why" in program ? program.why : `its --version does not say "QEMU emulator version"`;
  throw new UsageError(
    `command line: it begins with ${JSON.stringify(emulator)}, which is not known as a QEMU by its name, and ${reason}`,
    { value: emulator, expected },
  );
}

function noted(made: Definition, { relative }: Anchored, folder: string): Definition {
  if (relative.length === 0) return made;
  return {
    ...made,
    notes: [...made.notes, `relative paths are meant from ${folder}, and are absolute now: ${[...new Set(relative)].join(", ")}`],
  };
}

async function ofProcess(pid: number, called: Called): Promise<Definition> {
  const process = await processAt(pid);
  if (process === undefined) throw new HostError(`process ${pid}: there is none, or its command line can't be read`);
  if (!(await runsQemu(process))) throw await notQemu(process);
  await mustBeText(pid);
  const words = qemuWords(process.argv);
  const folder = await startedIn(pid, words);
  const program = await emulatorOf(process, words[0] ?? "", folder ?? "/");
  const anchored = anchor([program, ...words.slice(1)], folder ?? "/");
  if (anchored.relative.length > 0) mustBeThere(process, folder, anchored.relative);
  const made = noted(await defineFrom(anchored.argv, { ...called, running: true }), anchored, folder ?? "/");
  return { ...made, notes: [...made.notes, ...(await otherRoot(pid))], process: { ...process, argv: anchored.argv } };
}

/** What is to be told of a process that sees other files than we do. */
async function otherRoot(pid: number): Promise<readonly string[]> {
  const [its, ours] = await Promise.all([`/proc/${pid}/root/`, "/"].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  const isSame = its === undefined || (its.ino === ours?.ino && its.dev === ours.dev);
  return isSame
    ? []
    : [`process ${pid} has another root folder (a container, or chroot): its paths are meant from there, and start looks for them here`];
}

/**
 * The folder that a process was started in. One that goes into the background by itself, or into another root, has left it: the shell that
 * started it tells where it was (PWD), which is
 * believed where the files are there. "" where it is not known.
 */
async function startedIn(pid: number, words: readonly string[]): Promise<string | undefined> {
  const folder = await folderOfProcess(pid);
  const hasLeft = splitOptions(words.slice(1)).some(
    ({ name, value = "" }) => name === "daemonize" || name === "chroot" || (name === "run-with" && /(^|,)chroot=/.test(value)),
  );
  if (!hasLeft || folder === undefined) return folder;
  const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  const before = environment
    .split("\0")
    .find((variable) => variable.startsWith("PWD=/"))
    ?.slice("PWD=".length);
  if (before === undefined) return "";
  const { relative } = anchor(words, before);
  const there = await Promise.all(
    relative.map((path) =>
      access(fromFolder(before, path)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.every(Boolean) ? before : "";
}

/** What relative paths are meant from. @throws HostError where that is not known */
function mustBeThere({ pid, uid }: Process, folder: string | undefined, relative: readonly string[]): void {
  const why =
    folder === undefined
      ? `can't be read; run this as user ${uid}, whom it belongs to`
      : folder === ""
        ? "was left when it was started (-daemonize, chroot); define it by its words, in the folder that it was started in"
        : folder.endsWith(" (deleted)")
          ? "is gone"
          : undefined;
  if (why !== undefined)
    throw new HostError(
      `process ${pid}: relative paths are on its command line (${relative.join(", ")}), and the folder that they are meant from (/proc/${pid}/cwd) ${why}`,
    );
}

/** By its name, or else by what its program says of itself. */
async function runsQemu({ pid, argv }: Process): Promise<boolean> {
  const program = await programOf(pid);
  if (isSurelyQemu(qemuWords(argv)[0] ?? "") || (program !== undefined && isSurelyQemu(program))) return true;
  // Something of that name that a script runs, or that can't be seen, is told by the name alone.
  const isCalledSo = isQemu(argv);
  if (isCalledSo && (program === undefined || isScript(program))) return true;
  // What has nothing of QEMU about it is not even asked.
  if (program === undefined || (!isCalledSo && readWords(argv).monitors.length === 0)) return false;
  return isQemuVersion((await versionOf(program)) ?? "");
}

/** A program that runs what somebody wrote: the emulator is then the script, whose name is what there is to go by. */
function isScript(program: string): boolean {
  return /^(node|(ba|da|z|k)?sh|python[\d.]*|perl)$/.test(nameOf(program));
}

async function notQemu({ pid, argv }: Process): Promise<UsageError> {
  const [child] = (await findProcesses((text) => /qemu|kvm/i.test(text))).filter((other) => other.parent === pid && isQemu(other.argv));
  const meant = child === undefined ? "" : `; it runs one: qmpctl define --pid ${child.pid}`;
  return new UsageError(`process ${pid}: it is ${JSON.stringify(argv[0] ?? "")}, not a QEMU${meant}`, {
    value: pid,
    expected: "the pid of a QEMU: pgrep -a qemu lists them",
  });
}

/** A config is UTF-8, a command line any bytes. @throws UsageError that names the word */
async function mustBeText(pid: number): Promise<void> {
  const bytes = await readFile(`/proc/${pid}/cmdline`).catch((cause: unknown) => {
    throw new HostError(`process ${pid}: its command line can't be read: ${messageOf(cause)}`, {}, { cause });
  });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let start = 0;
  for (let end = bytes.indexOf(0); end >= 0; start = end + 1, end = bytes.indexOf(0, start)) {
    const word = bytes.subarray(start, end);
    try {
      decoder.decode(word);
    } catch {
      throw notUtf8(
        `process ${pid}: ${JSON.stringify(word.toString("latin1")).replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`)} of its command line`,
      );
    }
  }
}

function notUtf8(what: string): UsageError {
  return new UsageError(`${what} is no UTF-8 text, which a launch config is: give that file a name that is`, {
    value: what,
    expected: "words in UTF-8",
  });
}

/**
 * The program as a config can name it: as it was called where that leads to the program that runs, since QEMU goes by the name it was
 * called by (kvm); else that program.
 */
async function emulatorOf({ pid }: Process, called: string, folder: string): Promise<string> {
  const program = await programOf(pid);
  const place = called.includes("/") ? resolve(folder, called) : findProgram(called);
  const path = typeof place === "string" ? place : "path" in place ? place.path : undefined;
  const real = path === undefined ? undefined : await realpath(path).catch(() => undefined);
  const isIt = program === undefined || real === program || !isSurelyQemu(program);
  return isIt ? called : program;
}
