import { access, readFile, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { anchor, fromFolder } from "../../config/anchor.ts";
import { isQemuVersion, isSurelyQemu, nameOf } from "../../config/emulator.ts";
import { splitOptions } from "../../config/options.ts";
import { HostError, messageOf, UsageError } from "../../errors.ts";
import { findProcesses, folderOfProcess, type Process, processAt, programOf } from "../../host/processes.ts";
import { findProgram } from "../../host/programs.ts";
import { versionOf } from "../../host/version.ts";
import { isQemu, qemuWords, readWords } from "../machine/command-line.ts";
import { programRunBy } from "../machine/running/qemu-program.ts";
import { defineFrom } from "./board.ts";
import { type Called, type Definition, noted, notUtf8 } from "./definition.ts";

/**
 * Makes a definition of the command line of a running process. Its relative paths are resolved against the folder that it was started in.
 *
 * @throws HostError when there is no such process, or that folder is not known; UsageError when it is no QEMU
 */
export async function ofProcess(pid: number, called: Called): Promise<Definition> {
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

/** The note on a process that sees other files than we do. */
async function otherRoot(pid: number): Promise<readonly string[]> {
  const [its, ours] = await Promise.all([`/proc/${pid}/root/`, "/"].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  const isSame = its === undefined || (its.ino === ours?.ino && its.dev === ours.dev);
  return isSame
    ? []
    : [`process ${pid} has another root folder (a container, or chroot): its paths are resolved there, but start looks for them here`];
}

/**
 * The folder that a process was started in; "" if it is not known. A process that goes into the background by itself, or into another root,
 * has left it. Then the PWD of the shell that started it is believed, if the files are there.
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

/** Checks that the folder is known that relative paths are resolved against. @throws HostError when it is not */
function mustBeThere({ pid, uid }: Process, folder: string | undefined, relative: readonly string[]): void {
  const why =
    folder === undefined
      ? `can't be read; run this as user ${uid}, who owns it`
      : folder === ""
        ? "was left when it was started (-daemonize, chroot); define it by its words, in the folder that it was started in"
        : folder.endsWith(" (deleted)")
          ? "is gone"
          : undefined;
  if (why !== undefined)
    throw new HostError(
      `process ${pid}: relative paths are on its command line (${relative.join(", ")}), and the folder that they are resolved against (/proc/${pid}/cwd) ${why}`,
    );
}

/** Whether a process runs QEMU: by its program, or by its name if a script runs it or its program can't be seen. */
async function runsQemu(process: Process): Promise<boolean> {
  const { pid, argv } = process;
  const isCalledSo = isQemu(argv);
  const runs = await programRunBy(process);
  if (runs !== "other") return runs === "qemu" || isCalledSo;
  const program = await programOf(pid);
  if (program === undefined) return isCalledSo;
  if (isScript(program)) return isCalledSo;
  // A program that shows nothing of QEMU is not even asked.
  if (!isCalledSo && readWords(argv).monitors.length === 0) return false;
  return isQemuVersion((await versionOf(program)) ?? "");
}

/** Whether a program is an interpreter. The emulator is then the script, and only its name can tell. */
function isScript(program: string): boolean {
  return /^(node|(ba|da|z|k)?sh|python[\d.]*|perl)$/.test(nameOf(program));
}

async function notQemu({ pid, argv }: Process): Promise<UsageError> {
  const [child] = (await findProcesses((text) => /qemu|kvm/i.test(text))).filter((other) => other.parent === pid && isQemu(other.argv));
  const meant = child === undefined ? "" : `; it runs one: qmpctl define --pid ${child.pid}`;
  return new UsageError(`process ${pid}: it is ${JSON.stringify(argv[0] ?? "")}, not a QEMU${meant}`, {
    value: pid,
    expected: "the pid of a QEMU: qmpctl list --running lists them",
  });
}

/** Checks that a command line is UTF-8, as a config must be. @throws UsageError that names the word */
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

/**
 * The program as a config can name it: the name that it was called by, if that leads to the program that runs, because QEMU goes by its
 * name (kvm); else that program.
 */
async function emulatorOf({ pid }: Process, called: string, folder: string): Promise<string> {
  const program = await programOf(pid);
  const place = called.includes("/") ? resolve(folder, called) : findProgram(called);
  const path = typeof place === "string" ? place : "path" in place ? place.path : undefined;
  const real = path === undefined ? undefined : await realpath(path).catch(() => undefined);
  const isIt = program === undefined || real === program || !isSurelyQemu(program);
  return isIt ? called : program;
}
