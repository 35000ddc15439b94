import { resolve } from "node:path";
import type { RuntimeFiles } from "../../config/argv.ts";
import type { Mark } from "../../config/mark.ts";
import { readTail } from "../../config/safe-file.ts";
import { sha256 } from "../../digest.ts";
import { statusAt, targetAt } from "../../file-status.ts";
import { isListenedOn, listenersOnTcp, listenersOnUnix, tcpPortsOf, unixSocketsOf } from "../../host/listeners.ts";
import { findProcesses, folderOfProcess, type Process, processAt } from "../../host/processes.ts";
import { isLoopback, parseTarget, type Target } from "../../wire/address.ts";
import { isQemu, type QemuWords, readWords } from "./command-line.ts";
import { Identity } from "./identity.ts";
import { idIn, isSameFile } from "./machine-id.ts";
import type { Place } from "./place.ts";
import { isItsPidfile, isTrusted } from "./verdict.ts";

/**
 * Finds the QEMU behind a monitor's address. On this host its process is found by what its command line says it listens on, or by who holds
 * the socket. So one machine has one lock, whichever of its monitors it is addressed by, however that is spelled. A QEMU elsewhere is known
 * by its address until it is asked.
 */
export async function findByAddress({ name }: Pick<Place, "name">, address: string): Promise<Identity> {
  const process = await processAtAddress(address);
  const mark = process?.words.mark;
  const config = mark !== undefined && (await isItsConfig(mark)) ? { config: mark.path } : {};
  return new Identity({
    domain: name,
    name: null,
    id: mark?.id ?? null,
    process: process === undefined ? null : { pid: process.process.pid, started: process.process.started },
    key:
      process === undefined
        ? `monitor-${sha256(address).slice(0, 12)}`
        : (mark?.id ?? `process-${process.process.pid}-${process.process.started}`),
    control: address,
    watch: null,
    folder: process?.words.folder ?? null,
    obstacle: null,
    ours: process !== undefined,
    owner: await ownerOfFound(address, process),
    ...config,
  });
}

/** Whether the config that a mark names is still that of its machine. One without an id can only be known by its place. */
async function isItsConfig({ id, path }: Mark): Promise<boolean> {
  const now = await idIn(path);
  return now === id || (now === undefined && statusAt(path)?.isFile() === true);
}

/** The user whose machine is at an address of this host, and who has its lock; null if that can't be seen. */
export async function ownerAt(address: string): Promise<number | null> {
  return ownerOfFound(address, parseTarget(address).kind === "unix" ? undefined : await processAtAddress(address));
}

/**
 * A Unix monitor is whose the socket is: QEMU makes it before it gives up its rights. A TCP port has no owner, so it is whose the process
 * is, or the pidfile that it wrote before.
 */
async function ownerOfFound(address: string, found: Found | undefined): Promise<number | null> {
  const target = parseTarget(address);
  if (target.kind === "unix") {
    const there = statusAt(target.path);
    // A link of somebody else's must not choose as whom root goes on.
    const socket = there?.isSymbolicLink() === true && isTrusted(there.uid) ? targetAt(target.path) : there;
    return socket === undefined ? null : Number(socket.uid);
  }
  if (found === undefined) return null;
  const { process, words } = found;
  const pidfile = words.options.findLast(({ name }) => name === "pidfile")?.value;
  const before = pidfile !== undefined && (await isItsPidfile(process, words)) ? statusAt(pidfile)?.uid : undefined;
  return before ?? process.uid;
}

interface Found {
  readonly process: Process;
  readonly words: QemuWords;
  /** Its working folder; undefined if this user may not see it. */
  readonly folder: string | undefined;
}

async function processAtAddress(address: string): Promise<Found | undefined> {
  const target = parseTarget(address);
  if (target.kind !== "unix" && !(target.kind === "tcp" && isLoopback(target.host))) return undefined;
  const all = await Promise.all(
    (await findProcesses((text) => /qemu|kvm|qmpctl-/i.test(text))).filter(({ argv }) => isQemu(argv)).map(read),
  );
  // The command line nearly always says it. A monitor that was added later is only found by who holds the socket.
  const said = await Promise.all(all.map((each) => saysAt(each, target)));
  const found =
    (await listeners(
      all.filter((_, position) => said[position]),
      target,
    )) ??
    (await listeners(
      all.filter((_, position) => !said[position]),
      target,
    ));
  if (found !== undefined) return found;
  const [holder] = target.kind === "unix" ? await listenersOnUnix(target.path) : await listenersOnTcp(target.port);
  const process = holder === undefined ? undefined : await processAt(holder);
  // A program that passes on to a QEMU (socat, ssh) is not that QEMU: ending it would leave the machine running.
  return process === undefined || !isQemu(process.argv) ? undefined : read(process);
}

/** The QEMU that listens at an address. If two have the same path, the second one has taken it from the first. */
async function listeners(all: readonly Found[], target: Target): Promise<Found | undefined> {
  const listens = await Promise.all(all.map((each) => listensAt(each, target)));
  return all
    .filter((_, position) => listens[position])
    .sort((a, b) => a.process.started - b.process.started)
    .at(-1);
}

/** Whether a QEMU's command line says that it listens at an address. */
async function saysAt({ words }: Found, target: Target): Promise<boolean> {
  if (target.kind === "tcp") return words.monitors.some((each) => each.kind === "tcp" && each.port === target.port);
  if (target.kind !== "unix") return false;
  const same = await Promise.all(words.monitors.map((each) => each.kind === "unix" && isSameFile(each.path, target.path)));
  return same.includes(true);
}

/**
 * Whether a QEMU listens at an address, by the sockets that it holds. In namespaces of its own, the same path on its command line can be
 * another file, and the same port another port. Of somebody else's QEMU only the command line can be seen.
 */
async function listensAt(found: Found, target: Target): Promise<boolean> {
  const { pid } = found.process;
  if (target.kind === "tcp") return tcpPortsOf(pid)?.includes(target.port) ?? saysAt(found, target);
  if (target.kind !== "unix") return false;
  const paths = unixSocketsOf(pid);
  if (paths === undefined) return saysAt(found, target);
  return (await Promise.all(paths.map((path) => isSameFile(resolve(found.folder ?? "/", path), target.path)))).includes(true);
}

async function read(process: Process): Promise<Found> {
  const folder = await folderOfProcess(process.pid);
  return { process, words: readWords(process.argv, folder), folder };
}

/** Whether a run-time folder is in use: a process listens at one of its monitors, or the process of its pidfile still runs. */
export async function isInUse({ control, watch, pidfile }: RuntimeFiles): Promise<boolean> {
  if (isListenedOn(control) || isListenedOn(watch)) return true;
  const pid = Number((await readTail(pidfile)).trim());
  return pid > 0 && (await processAt(pid))?.argv.includes(pidfile) === true;
}
