import { basename } from "node:path";
import { fromCommandLine } from "../../config/command-line.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import type { Mark } from "../../config/mark.ts";
import { ownUid } from "../../config/own-user.ts";
import { readTail } from "../../config/safe-file.ts";
import type { Stored } from "../../config/store.ts";
import { statusAt } from "../../file-status.ts";
import { tcpPortsOf, unixSocketsOf } from "../../host/listeners.ts";
import { folderOfProcess, type Process } from "../../host/processes.ts";
import { isQemu, type QemuWords, readWords, runsConfig } from "./command-line.ts";
import { idIn, isSameFile } from "./machine-id.ts";

/** A process that was found, with what its command line says. */
export interface Found {
  readonly process: Process;
  readonly words: QemuWords;
}

/** Reads what a process's command line says. */
export async function read(process: Process): Promise<Found> {
  const isRelative = process.argv.some((word) => /^(unix:|socket,.*path=)[^/]/.test(word));
  return { process, words: readWords(process.argv, isRelative ? await folderOfProcess(process.pid) : undefined) };
}

/**
 * Whether a process runs the machine of a config. `has its id`: this config is a copy of that machine's. `had another id`: it was started
 * from this very file, which is another machine's now. `is like it`: it has the same words, and no name to tell it by.
 */
export type Verdict = "runs it" | "has its id" | "had another id" | "is like it" | "another";

/** Judges a process, see `Verdict`. `id` is the machine's, as `machineIdOf` gives it. */
export async function verdictOn(found: Found, stored: Stored, id: string): Promise<Verdict> {
  const { process, words } = found;
  const { config } = stored;
  const { mark } = words;
  if (!isQemu(process.argv, config.emulator) && !(mark !== undefined && (await isItsPidfile(process, words)))) return "another";
  if (mark !== undefined) return verdictOnMark(found, mark, stored, id);
  // Another user's QEMU that is like ours is no reason not to start ours; one with our mark is.
  if (!isTrusted(process.uid) || !runsConfig(process.argv, words, config)) return "another";
  if (words.name !== null || listensAtMonitor(words, config)) return "runs it";
  // Two QEMUs without names can have the same words: neither is touched because of that.
  return hasSizesOf(process.argv, config) ? "is like it" : "another";
}

/** Judges by a mark. If the config has an id, the id decides; a path is only a place where a config was. */
export async function verdictOnMark({ process, words }: Found, mark: Mark, { config, path }: Stored, id: string): Promise<Verdict> {
  const isHere = await isSameFile(mark.path, path);
  if (config.id === undefined) {
    if (isHere || mark.id === id) return "runs it";
    // Its config is no longer where it was, as after a move. By its words it is this one.
    const isMoved = !(await isThere(mark.path)) && runsConfig(process.argv, { ...words, name: config.name }, config);
    return !isMoved ? "another" : words.name === config.name ? "runs it" : "is like it";
  }
  if (mark.id !== config.id) return isHere && !(await hasOtherConfig(mark, path)) ? "had another id" : "another";
  // After a rename of its config it is the same machine. A copy is another one while the first config is there.
  return words.name === config.name || isHere || (await idIn(mark.path)) !== mark.id ? "runs it" : "has its id";
}

async function isThere(path: string): Promise<boolean> {
  return statusAt(path) !== undefined;
}

/** Whether the machine of a mark has its config beside this one under another name: then this config is another machine's. */
async function hasOtherConfig({ id }: Mark, path: string): Promise<boolean> {
  const [{ readdir }, { dirname, join }] = await Promise.all([import("node:fs/promises"), import("node:path")]);
  const folder = dirname(path);
  const others = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json") && name !== basename(path));
  return (await Promise.all(others.map((name) => idIn(join(folder, name))))).includes(id);
}

function listensAtMonitor({ monitors }: QemuWords, { monitor }: LaunchConfig): boolean {
  return monitor !== undefined && monitors.some((each) => each.kind === "unix" && each.path === monitor);
}

/** Whether a command line gives its machine the memory and the vCPUs of the config. */
function hasSizesOf(argv: readonly string[], { name, memory, vcpus }: LaunchConfig): boolean {
  try {
    const { config } = fromCommandLine(argv, { name, running: true });
    return config.memory.max === memory.max && config.vcpus.max === vcpus.max;
  } catch {
    return true; // a command line that can't be read does not make it another machine
  }
}

/**
 * Whether a process with any name is QEMU, by its pidfile: QEMU wrote its pid there, and it listens where its command line says, as far as
 * this user may look. `tail -f` with the same words, or an old pid in that file, is not enough.
 */
export async function isItsPidfile({ pid }: Process, { options, monitors }: QemuWords): Promise<boolean> {
  const path = options.findLast(({ name }) => name === "pidfile")?.value;
  if (path === undefined || (await readTail(path)).trim() !== String(pid)) return false;
  return monitors.some(
    (each) => (each.kind === "unix" ? unixSocketsOf(pid)?.includes(each.path) : tcpPortsOf(pid)?.includes(each.port)) ?? true,
  );
}

/**
 * Sorts QEMU's own process before the programs that started it. Programs that pass QEMU's words on to it have them on their own command
 * lines too, so the last one in the line is QEMU. A child with exactly the same words is not: it is a fork of QEMU that has not become
 * another program yet (a network script, a helper of a block device). If QEMU was told to fork into the background, the child is QEMU.
 */
export function innermost(all: readonly Found[]): readonly Found[] {
  const found = all.filter((each) => !isFork(each, all));
  const parents = new Set(found.map(({ process }) => process.parent));
  const inner = found.filter(({ process }) => !parents.has(process.pid));
  // The outer ones come last. They know where the monitors are, if they put others in front of QEMU's own.
  return [...inner, ...found.filter((each) => !inner.includes(each))];
}

function isFork({ process, words }: Found, all: readonly Found[]): boolean {
  if (words.options.some(({ name }) => name === "daemonize")) return false;
  const parent = all.find((other) => other.process.pid === process.parent)?.process;
  return (
    parent !== undefined &&
    parent.argv.length === process.argv.length &&
    parent.argv.every((word, position) => word === process.argv[position])
  );
}

/** Whether a user is ourselves or root: they could do anything to the machine anyway. */
export function isTrusted(uid: number): boolean {
  return uid === ownUid() || uid === 0;
}
