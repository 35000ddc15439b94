import { lstat } from "node:fs/promises";
import { basename } from "node:path";
import { MARK_PREFIX } from "../../config/mark.ts";
import { ownUid } from "../../config/own-user.ts";
import { statePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { sha256 } from "../../digest.ts";
import { isErrorCode, UnsafeError } from "../../errors.ts";
import { findProcesses, folderOfProcess, type Process, processAt } from "../../host/processes.ts";
import { isStillThere } from "../../host/signal.ts";
import { isQueueFull } from "../../wire/errors.ts";
import { findByAddress } from "./find-address.ts";
import { isQemu, readWords, runsConfig, type QemuWords } from "./command-line.ts";
import { adopting, Identity, StrangerError } from "./identity.ts";
import { isSameFile, machineIdOf } from "./machine-id.ts";
import { openSession } from "./open.ts";
import type { Place } from "./place.ts";
import { isOfThisBoot, type ProcessRecord, readProcessRecord } from "./process-record.ts";

/** Whether a domain's machine runs, and what else there is to know about that. */
export interface Whereabouts {
  /** The QEMU that runs it; null when no process does: it is stopped. */
  readonly machine: Identity | null;
  /** What stands in the way of a start though it does not run: somebody else has its monitor, or its id. */
  readonly hindrance: string | null;
  /** Names the lock, the record and the notes. */
  readonly key: string;
}

/**
 * Finds the QEMU that runs a domain: the process that was written down at its start, else any process of this host with its mark, or with its name and its
 * words, whatever folder or session it was started from; else whoever answers at the config's monitor and proves to be it. "Stopped" means that there is none.
 */
export async function findMachine(place: Place, stored: Stored | null): Promise<Whereabouts> {
  if (place.address !== null) {
    const machine = await findByAddress(place, place.address);
    return { machine, hindrance: null, key: machine.known.key };
  }
  if (stored === null) return { machine: null, hindrance: null, key: `config-${sha256(place.config?.path ?? "").slice(0, 12)}` };
  const id = await machineIdOf(stored);
  const record = await readProcessRecord(statePaths(place.folders, id));
  const recorded = record === null ? undefined : await recordedProcess(record, id, stored);
  if (recorded !== undefined) return there(await identityOf(stored, [recorded], record));
  return searched(place, stored, id);
}

function there(machine: Identity): Whereabouts {
  return { machine, hindrance: null, key: machine.known.key };
}

/** A process as it was found, with what its command line says. */
interface Found {
  readonly process: Process;
  readonly words: QemuWords;
}

/** The process of the record, if it still is that one. A mark that is not the machine's is another machine's. */
async function recordedProcess(record: ProcessRecord, id: string, stored: Stored): Promise<Found | undefined> {
  if (!isOfThisBoot(record) || !(await isStillThere(record.process))) return undefined;
  const process = await processAt(record.process.pid);
  if (process === undefined) return undefined;
  const found = await read(process);
  const { mark, name } = found.words;
  if (mark === undefined) return record.how === "adopted" ? found : undefined;
  return (mark.id === id && name === stored.config.name) || (await isSameFile(mark.path, stored.path)) ? found : undefined;
}

async function read(process: Process): Promise<Found> {
  const isRelative = process.argv.some((word) => /^(unix:|socket,.*path=)[^/]/.test(word));
  return { process, words: readWords(process.argv, isRelative ? await folderOfProcess(process.pid) : undefined) };
}

async function searched(place: Place, stored: Stored, id: string): Promise<Whereabouts> {
  const { config } = stored;
  const emulator = basename(config.emulator);
  const wanted = (text: string): boolean => text.includes(MARK_PREFIX) || /qemu|kvm/i.test(text) || text.includes(emulator);
  const processes = place.processes === undefined ? await findProcesses(wanted) : (await place.processes()).filter(({ argv }) => wanted(argv.join("\0")));
  const all = await Promise.all(processes.map(read));
  const verdicts = await Promise.all(all.map((each) => verdictOn(each, stored, id)));
  const mine = innermost(all.filter((_, position) => verdicts[position] === "runs it"));
  if (mine.length > 0) return there(await identityOf(stored, mine, null));
  const copied = all[verdicts.indexOf("has its id")];
  if (copied !== undefined) return { machine: null, hindrance: copiedId(copied), key: id };
  return config.monitor === undefined ? { machine: null, hindrance: null, key: id } : atMonitor(place, stored, id, all, config.monitor);
}

type Verdict = "runs it" | "has its id" | "another";

async function verdictOn({ process, words }: Found, stored: Stored, id: string): Promise<Verdict> {
  const { config, path } = stored;
  const { mark } = words;
  if (!isQemu(process.argv, config.emulator) && !(mark !== undefined && (await isItsPidfile(process, words)))) return "another";
  // Somebody else's QEMU that is like ours is no reason not to start ours; one with our mark is.
  if (mark === undefined) return isTrusted(process.uid) && runsConfig(process.argv, words, config) ? "runs it" : "another";
  if (await isSameFile(mark.path, path)) return "runs it";
  if (mark.id !== id) return "another";
  // A config that was renamed is the same machine's still; one that was copied is not.
  return words.name === config.name || (await lstat(mark.path).catch(() => undefined)) === undefined ? "runs it" : "has its id";
}

/**
 * A process with a name that says nothing is QEMU when QEMU has written its pid where its command line says, and it listens there too, as far as we may look: `tail -f` with
 * the same words, and a pid of old in that file, is not.
 */
async function isItsPidfile({ pid }: Process, { options, monitors }: QemuWords): Promise<boolean> {
  const [{ readTail }, { tcpPortsOf, unixSocketsOf }] = await Promise.all([import("../../config/safe-file.ts"), import("../../host/listeners.ts")]);
  const path = options.findLast(({ name }) => name === "pidfile")?.value;
  if (path === undefined || (await readTail(path)).trim() !== String(pid)) return false;
  return monitors.some((each) => (each.kind === "unix" ? unixSocketsOf(pid)?.includes(each.path) : tcpPortsOf(pid)?.includes(each.port)) ?? true);
}

/** Programs that pass QEMU's words on to it have them on their own command lines too: the one at the end of the line is QEMU. */
function innermost(found: readonly Found[]): readonly Found[] {
  const parents = new Set(found.map(({ process }) => process.parent));
  const inner = found.filter(({ process }) => !parents.has(process.pid));
  // The outer ones come last: they know where the monitors are, where they put others in front of QEMU's own.
  return [...inner, ...found.filter((each) => !inner.includes(each))];
}

/** Ourselves, and root: those who could do everything to the machine anyway. */
function isTrusted(uid: number): boolean {
  return uid === ownUid() || uid === 0;
}

async function identityOf({ config }: Stored, found: readonly Found[], record: ProcessRecord | null): Promise<Identity> {
  const [first, second] = found;
  if (first === undefined) throw new Error("no process was found");
  const outer = found.at(-1) ?? first;
  const { process, words } = first;
  const { pid, started } = process;
  const isTwin = second !== undefined && second.process.pid !== process.parent;
  const trusted = record !== null || isTrusted(process.uid);
  const sockets = trusted ? await socketsOf(config.monitor, outer.words, record?.folder ?? null) : NO_SOCKETS;
  const why = isTwin ? `it runs twice, as process ${pid} and as process ${second.process.pid}: end one of them` : trusted ? sockets.obstacle : `process ${pid}, which says that it is this machine, belongs to user ${process.uid}`;
  return new Identity({
    domain: config.name,
    name: words.mark === undefined && record === null ? config.name : null,
    id: words.mark?.id ?? null,
    process: { pid, started },
    key: keyOf(process, words),
    control: sockets.control,
    watch: sockets.watch,
    folder: sockets.folder,
    obstacle: why,
    ours: trusted && !isTwin,
  });
}

/** The key of a process's lock: who the machine is, or, where it carries no mark, this process. */
export function keyOf({ pid, started }: Process, { mark }: QemuWords): string {
  return mark?.id ?? `process-${pid}-${started}`;
}

interface Sockets {
  readonly control: string | null;
  readonly watch: string | null;
  readonly folder: string | null;
  readonly obstacle: string | null;
}

const NO_SOCKETS: Sockets = { control: null, watch: null, folder: null, obstacle: null };

/** The monitors of a QEMU: ours where it has them, else the config's own, else its first. @throws UnsafeError where one is somebody else's */
async function socketsOf(own: string | undefined, { folder: said, monitors }: QemuWords, recorded: string | null): Promise<Sockets> {
  const folder = recorded ?? said;
  const paths = monitors.flatMap((each) => (each.kind === "unix" ? [each.path] : []));
  const tcp = monitors.flatMap((each) => (each.kind === "tcp" ? [`tcp:${["", "0.0.0.0", "*"].includes(each.host) ? "127.0.0.1" : each.host === "::" ? "[::1]" : each.host}:${each.port}`] : []));
  const [ours, watchers] = folder === null ? [] : [`${folder}/control.sock`, `${folder}/watch.sock`];
  const wanted = [...new Set([...(ours === undefined ? [] : [ours]), ...(own !== undefined && paths.includes(own) ? [own] : []), ...paths])].filter((path) => path !== watchers);
  for (const path of wanted) {
    if (!(await hasSocket(path))) continue;
    return { control: `unix:${path}`, watch: watchers !== undefined && (await hasSocket(watchers)) ? `unix:${watchers}` : null, folder, obstacle: null };
  }
  const [address] = tcp;
  if (address !== undefined) return { control: address, watch: null, folder, obstacle: null };
  const [gone] = wanted;
  const why = gone === undefined ? "it was started without a QMP monitor that others can reach" : `its monitor ${gone} is gone`;
  return { control: gone === undefined ? null : `unix:${gone}`, watch: null, folder, obstacle: `${why}: it can only be ended (destroy), or asked to by the guest itself` };
}

/** Whether a socket of ours, or of root's, is there. @throws UnsafeError where something else is, or somebody else's */
async function hasSocket(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return false;
  if (!stat.isSocket()) throw new UnsafeError(path, "not a socket");
  if (!isTrusted(stat.uid)) throw new UnsafeError(path, `belongs to user ${stat.uid}`);
  return true;
}

function copiedId({ process, words: { name, mark } }: Found): string {
  return `its config has the id of ${name ?? "a machine without a name"} (${mark?.path ?? ""}), which process ${process.pid} runs: a config that is copied has to lose its key "id"`;
}

/** How long whoever listens there may take to say who it is, in milliseconds. */
const LOOK = 1000;

/** Nobody on this host runs it, as far as /proc shows: whoever listens at the config's own monitor is it, or is in the way. */
async function atMonitor({ folders: _, timeout }: Place, { config }: Stored, id: string, all: readonly Found[], path: string): Promise<Whereabouts> {
  const stopped = (hindrance: string | null): Whereabouts => ({ machine: null, hindrance, key: id });
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return stopped(null);
  if (!stat.isSocket()) return stopped(`there is something else at its monitor ${path}`);
  if (!isTrusted(stat.uid)) return stopped(`the socket at its monitor ${path} belongs to user ${stat.uid}`);
  for (const { process, words } of all) {
    const listens = await Promise.all(words.monitors.map((each) => each.kind === "unix" && isSameFile(each.path, path)));
    if (listens.includes(true)) return stopped(inTheWay(path, { process, words }));
  }
  const machine = new Identity({ domain: config.name, name: config.name, id: null, mayBe: id, process: null, key: id, control: `unix:${path}`, watch: null, folder: null, obstacle: null, ours: false });
  try {
    await using _session = await openSession(machine, { timeout: Math.min(timeout, LOOK) });
  } catch (error) {
    if (error instanceof StrangerError) return stopped(error.message.replace(`${config.name}: `, ""));
    // Nobody listens: stopped. Somebody listens and is busy: there.
    if (isErrorCode(error, "connect") && !isQueueFull(error)) return stopped(null);
  }
  return { machine, hindrance: null, key: id };
}

function inTheWay(path: string, { process, words: { name, mark } }: Found): string {
  const who = `${name === null ? "a QEMU without a name" : JSON.stringify(name)} (${mark === undefined ? "" : `${mark.path}, `}process ${process.pid})`;
  return `its monitor ${path} is that of ${who}${mark === undefined ? `, which is adopted by ${adopting(process)}` : ""}`;
}

/** Other processes than `pid` that run the machine of a config, whoever they belong to. */
export async function othersOf(stored: Stored, pid: number): Promise<readonly Process[]> {
  const id = await machineIdOf(stored);
  const all = await Promise.all((await findProcesses((text) => text.includes(MARK_PREFIX))).map(read));
  const verdicts = await Promise.all(all.map((each) => verdictOn(each, stored, id)));
  const mine = innermost(all.filter((_, position) => verdicts[position] === "runs it"));
  const parents = new Set(mine.map(({ process }) => process.parent));
  return mine.map(({ process }) => process).filter((process) => process.pid !== pid && !parents.has(process.pid));
}
