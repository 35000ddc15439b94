import { basename } from "node:path";
import { MARK_PREFIX } from "../../config/mark.ts";
import { runtimePaths, statePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { deadlineIn, now } from "../../deadline.ts";
import { sha256 } from "../../digest.ts";
import { isErrorCode } from "../../errors.ts";
import { statusAt } from "../../file-status.ts";
import { findProcesses, type Process, processAt } from "../../host/processes.ts";
import { isStillThere } from "../../host/signal.ts";
import { isQueueFull } from "../../wire/errors.ts";
import { shellWord } from "../model/format.ts";
import type { QemuWords } from "./command-line.ts";
import { findByAddress } from "./find-address.ts";
import { adopting, Identity, StrangerError } from "./identity.ts";
import { isSameFile, machineIdOf } from "./machine-id.ts";
import { NO_SOCKETS, socketsOf } from "./monitor-sockets.ts";
import { openSession } from "./open.ts";
import type { Place } from "./place.ts";
import { isOfThisBoot, type ProcessRecord, readProcessRecord } from "./process-record.ts";
import { type Found, innermost, isItsPidfile, isTrusted, read, type Verdict, verdictOn, verdictOnMark } from "./verdict.ts";

/** Whether a domain's machine runs, and what else is known about that. */
export interface Whereabouts {
  /** The QEMU that runs it; null if it is stopped. */
  readonly machine: Identity | null;
  /** What stands in the way of a start although it does not run: another QEMU has its monitor, or its id. */
  readonly hindrance: string | null;
  /** The name under which its lock, record and notes are kept. */
  readonly key: string;
}

/**
 * Finds the QEMU that runs a domain. First comes the process that was written down at its start. Then any process of this host that has its
 * mark, or its name and words, whatever folder or session it was started from. Last comes the QEMU that answers at the config's monitor, if
 * it proves to be this machine. If there is none, the domain is stopped.
 *
 * @throws ConfigError; HostError
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

/** The process of the record, if it still runs. If its mark is another machine's, it is not this one. */
async function recordedProcess(record: ProcessRecord, id: string, stored: Stored): Promise<Found | undefined> {
  if (!isOfThisBoot(record) || !(await isStillThere(record.process))) return undefined;
  const process = await processAt(record.process.pid);
  if (process === undefined) return undefined;
  const found = await read(process);
  const { mark } = found.words;
  if (mark === undefined) return record.how === "adopted" ? found : undefined;
  return (await verdictOnMark(found, mark, stored, id)) === "runs it" ? found : undefined;
}

async function searched(place: Place, stored: Stored, id: string): Promise<Whereabouts> {
  const { config } = stored;
  const emulator = basename(config.emulator);
  const wanted = (text: string): boolean => text.includes(MARK_PREFIX) || /qemu|kvm/i.test(text) || text.includes(emulator);
  const processes =
    place.processes === undefined ? await findProcesses(wanted) : (await place.processes()).filter(({ argv }) => wanted(argv.join("\0")));
  const { all, verdicts } = await judged(await Promise.all(processes.map(read)), stored, id);
  const mine = innermost(all.filter((_, position) => verdicts[position] === "runs it"));
  if (mine.length > 0) return there(await identityOf(stored, mine, null));
  for (const [verdict, words] of HINDRANCES) {
    const found = all[verdicts.indexOf(verdict)];
    if (found !== undefined) return { machine: null, hindrance: words(found, config.name), key: id };
  }
  // If /proc does not show it (another container), it still listens where a start would put its sockets. Another machine that listens there
  // is not in the way: a start then takes another folder.
  const own = await atMonitor(place, stored, id, all, runtimePaths(place.folders, place.config?.key ?? place.name).control);
  if (own.machine !== null && !own.hungUp) return own;
  return config.monitor === undefined ? { machine: null, hindrance: null, key: id } : atMonitor(place, stored, id, all, config.monitor);
}

/**
 * Judges processes, and keeps only those that still run afterwards. Files were read meanwhile: a machine that ended in between, with its
 * folder, would look like one whose config has moved.
 */
async function judged(
  found: readonly Found[],
  stored: Stored,
  id: string,
): Promise<{ readonly all: readonly Found[]; readonly verdicts: readonly Verdict[] }> {
  const verdicts = await Promise.all(found.map((each) => verdictOn(each, stored, id)));
  const there = await Promise.all(
    found.map(async ({ process }, position) => verdicts[position] === "another" || (await isStillThere(process))),
  );
  return { all: found.filter((_, position) => there[position]), verdicts: verdicts.filter((_, position) => there[position]) };
}

/** Verdicts that stand in the way of a start, though no process is known for sure to run the machine. */
const HINDRANCES: readonly (readonly [Verdict, (found: Found, name: string) => string])[] = [
  [
    "has its id",
    ({ process, words: { name, mark } }) =>
      `its config has the id of ${name ?? "a machine without a name"} (${mark?.path ?? ""}), which process ${process.pid} runs: remove the key "id" from a copied config`,
  ],
  [
    "had another id",
    ({ process, words: { mark } }) =>
      `process ${process.pid} runs, which was started from this config when its id was ${mark?.id ?? ""}: put that id back to go on with it, or end it (kill ${process.pid})`,
  ],
  [
    "is like it",
    ({ process }, name) =>
      `process ${process.pid} may be it: it has no such name, and the same words; qmpctl define --pid ${process.pid} --name ${shellWord(name)} --replace makes it this machine, kill ${process.pid} ends it`,
  ],
];

async function identityOf({ config }: Stored, found: readonly Found[], record: ProcessRecord | null): Promise<Identity> {
  const [first, second] = found;
  if (first === undefined) throw new Error("no process was found");
  const outer = found.at(-1) ?? first;
  const { process, words } = first;
  const { pid, started } = process;
  const isTwin = second !== undefined && second.process.pid !== process.parent;
  // A QEMU that gave up its rights (-runas) is known by the pidfile that it wrote before.
  const trusted = record !== null || isTrusted(process.uid) || (await isItsPidfile(process, words));
  const sockets = trusted ? await socketsOf(config.monitor, outer.words, record?.folder ?? null) : NO_SOCKETS;
  const why = isTwin
    ? `it runs twice, as process ${pid} and as process ${second.process.pid}: end one of them`
    : trusted
      ? sockets.obstacle
      : `process ${pid}, which says that it is this machine, belongs to user ${process.uid}`;
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

/** The key of a process's lock: the machine's id, or the process itself if it has no mark. */
export function keyOf({ pid, started }: Process, { mark }: QemuWords): string {
  return mark?.id ?? `process-${pid}-${started}`;
}

/** How long the QEMU that listens there may take to say who it is, in milliseconds. */
const LOOK = 1000;

/**
 * Looks who listens at a monitor of the config, when /proc shows no process that runs the machine: it is the machine, or it is in the way.
 */
async function atMonitor(
  { folders: _, timeout }: Place,
  { config }: Stored,
  id: string,
  all: readonly Found[],
  path: string,
): Promise<Whereabouts & { readonly hungUp?: boolean }> {
  const stopped = (hindrance: string | null): Whereabouts => ({ machine: null, hindrance, key: id });
  const begun = now();
  const stat = statusAt(path);
  if (stat === undefined) return stopped(null);
  if (!stat.isSocket()) return stopped(`there is something else at its monitor ${path}`);
  if (!isTrusted(stat.uid)) return stopped(`the socket at its monitor ${path} belongs to user ${stat.uid}`);
  for (const { process, words } of all) {
    const listens = await Promise.all(words.monitors.map((each) => each.kind === "unix" && isSameFile(each.path, path)));
    if (listens.includes(true)) return stopped(inTheWay(path, { process, words }));
  }
  const machine = new Identity({
    domain: config.name,
    name: config.name,
    id: null,
    mayBe: id,
    process: null,
    key: id,
    control: `unix:${path}`,
    watch: null,
    folder: null,
    obstacle: null,
    ours: false,
  });
  try {
    await using _session = await openSession(machine, { by: deadlineIn(Math.min(timeout, LOOK)) });
  } catch (error) {
    if (error instanceof StrangerError) return stopped(error.message.replace(`${config.name}: `, ""));
    // If nobody listens, it is stopped. If somebody listens and is busy, it runs.
    if (isErrorCode(error, "connect") && !isQueueFull(error)) return stopped(null);
    // A busy QEMU says nothing. One that hangs up at once is a proxy whose QEMU is gone, or no QEMU.
    return { machine, hindrance: null, key: id, hungUp: isErrorCode(error, "greeting", "closed") && now() - begun < LOOK / 2 };
  }
  return { machine, hindrance: null, key: id };
}

function inTheWay(path: string, { process, words: { name, mark } }: Found): string {
  const who = `${name === null ? "a QEMU without a name" : JSON.stringify(name)} (${mark === undefined ? "" : `${mark.path}, `}process ${process.pid})`;
  return `its monitor ${path} is that of ${who}${mark === undefined ? `, which is adopted by ${adopting(process)}` : ""}`;
}

/** The processes other than `pid` that run the machine of a config, whoever owns them. */
export async function othersOf(stored: Stored, pid: number): Promise<readonly Process[]> {
  const id = await machineIdOf(stored);
  const { all, verdicts } = await judged(
    await Promise.all((await findProcesses((text) => text.includes(MARK_PREFIX))).map(read)),
    stored,
    id,
  );
  const mine = innermost(all.filter((_, position) => verdicts[position] === "runs it"));
  const parents = new Set(mine.map(({ process }) => process.parent));
  return mine.map(({ process }) => process).filter((process) => process.pid !== pid && !parents.has(process.pid));
}
