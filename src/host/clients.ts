import { realpathSync } from "node:fs";
import { basename } from "node:path";
import { pid } from "node:process";
import { kernelFileIfThere } from "./kernel-file.ts";
import { holdersOf } from "./listeners.ts";
import { findProcesses } from "./processes.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";
import { commandOf } from "./threads.ts";

/** A process that is connected to a listening socket. */
export interface Client {
  readonly pid: number;
  /** Its command line, on one line; undefined if it has ended since. */
  readonly command: string | undefined;
  /** False if only its command line suggests it. The kernel tells only `ss` which process has the other end of a Unix socket. */
  readonly isCertain: boolean;
}

/** Which other processes are connected to a socket, as far as this host shows. */
export interface Clients {
  /** Whether the listener has accepted a connection that is not ours. */
  readonly isHeld: boolean;
  readonly who: readonly Client[];
}

const self = pid;
const NOBODY: Clients = { isHeld: false, who: [] };

/**
 * Who is connected to the Unix socket at a path. Null if its listener can't be seen, because it is in another network namespace. Only `ss`
 * (iproute2) asks the kernel for both ends of a connection; without it, processes with one of the `hints` on their command line are named
 * as a guess. Source: /proc/net/unix, where an accepted connection has an inode.
 */
export async function clientsOnUnix(path: string, hints: readonly string[]): Promise<Clients | null> {
  const sockets = socketsOn(path);
  if (!sockets.some(({ flags }) => (flags & ACCEPTS) !== 0)) return null;
  const accepted = new Set(sockets.filter(({ state, inode }) => state === CONNECTED && inode !== "0").map(({ inode }) => inode));
  if (accepted.size === 0) return NOBODY;
  const pairs = await socketPairs();
  if (pairs === null) return { isHeld: true, who: await suspects(hints) };
  // If the client has left and the listener has not noticed it yet, the other end has no inode any more.
  const peers = pairs.filter(({ inode, peer }) => accepted.has(inode) && peer !== "0").map(({ peer }) => peer);
  const holders = peers.map((peer) => pairs.find(({ inode }) => inode === peer)?.pids ?? []);
  // We may be one of them, if the listener has accepted us and says nothing.
  return { isHeld: holders.some((pids) => !pids.includes(self)), who: await clients(holders.flat()) };
}

/** Who is connected from this host to a TCP port of this host. Null if nothing is seen to listen there. Source: /proc/net/tcp and tcp6. */
export async function clientsOnTcp(port: number): Promise<Clients | null> {
  const known = [...linesOf("/proc/net/tcp"), ...linesOf("/proc/net/tcp6")].map((line) => line.trim().split(/ +/));
  if (!known.some(([, local, , state]) => state === LISTEN && portOf(local) === port)) return null;
  const lines = known.filter(([, , , state]) => state === ESTABLISHED);
  const accepted = lines.filter(([, local, , , , , , , , inode]) => portOf(local) === port && inode !== "0");
  if (accepted.length === 0) return NOBODY;
  const far = new Set(accepted.map(([, , remote]) => portOf(remote)));
  const inodes = new Set(
    lines.filter(([, local, remote]) => portOf(remote) === port && far.has(portOf(local))).map((fields) => fields[9] ?? ""),
  );
  const all = await holdersOf(inodes);
  return { isHeld: accepted.length > 1 || !all.includes(self), who: await clients(all) };
}

/** The kernel's TCP_ESTABLISHED and TCP_LISTEN, and SS_CONNECTED and __SO_ACCEPTCON of a Unix socket. */
const ESTABLISHED = "01";
const LISTEN = "0A";
const CONNECTED = "03";
const ACCEPTS = 0x10000;

interface UnixSocket {
  readonly flags: number;
  readonly state: string;
  readonly inode: string;
}

/**
 * The sockets that are bound to a path or were accepted on it, however the path was spelled. For a socket bound to a relative path, the
 * kernel shows just that.
 */
function socketsOn(path: string): readonly UnixSocket[] {
  const real = realPath(path);
  const known = new Map<string, boolean>();
  const isIt = (bound: string): boolean => {
    if (bound === path || bound === real) return true;
    if (basename(bound) !== basename(path) && basename(bound) !== basename(real)) return false;
    return bound.startsWith("/") ? realPath(bound) === real : real.endsWith(`/${bound.replace(/^(\.\/)+/, "")}`);
  };
  return linesOf("/proc/net/unix").flatMap((line) => {
    const [, , , flags = "", , state = "", inode = "", ...rest] = line.trim().split(/ +/);
    const bound = rest.join(" ");
    if (bound === "" || !(known.get(bound) ?? known.set(bound, isIt(bound)).get(bound))) return [];
    return [{ flags: Number.parseInt(flags, 16), state, inode }];
  });
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

interface Pair {
  readonly inode: string;
  readonly peer: string;
  readonly pids: readonly number[];
}

/** How long `ss` may take, in milliseconds. */
const TIMEOUT = 2000;

/** Both ends of all Unix sockets, with the processes that we may see; null if there is no `ss`. */
function socketPairs(): Promise<readonly Pair[] | null> {
  return new Promise((resolve) => {
    childProcesses().execFile(
      "ss",
      ["-xpnH"],
      { env: toolEnvironment(), timeout: TIMEOUT, maxBuffer: 64 * 1024 * 1024, encoding: "utf8" },
      (error, text) => resolve(error === null ? text.split("\n").flatMap(pairIn) : null),
    );
  });
}

/** One line of `ss`: `u_str ESTAB 0 0 PATH INODE * PEER users:(("name",pid=1,fd=2))`. A path may contain blanks. */
function pairIn(line: string): readonly Pair[] {
  const [, inode, peer, users = ""] = /^\S+\s+\S+\s+\d+\s+\d+\s+.* (\d+)\s+\S.* (\d+)\s*(users:.*)?$/.exec(line.trimEnd()) ?? [];
  if (inode === undefined || peer === undefined) return [];
  return [{ inode, peer, pids: [...users.matchAll(/,pid=(\d+),/g)].map(([, pid]) => Number(pid)) }];
}

async function clients(pids: readonly number[]): Promise<readonly Client[]> {
  const others = [...new Set(pids)].filter((pid) => pid !== self);
  return Promise.all(others.map(async (pid) => ({ pid, command: oneLine(await commandOf(pid)), isCertain: true })));
}

/** Processes whose command line has one of the hints as a word. This is a guess; the listener itself is among them. */
async function suspects(hints: readonly string[]): Promise<readonly Client[]> {
  const found = await findProcesses((text) => hints.some((hint) => text.includes(hint)));
  const likely = found.filter(
    ({ pid, argv }) => pid !== self && argv.slice(1).some((word) => hints.some((hint) => word === hint || word.endsWith(`:${hint}`))),
  );
  return Promise.all(likely.map(async ({ pid }) => ({ pid, command: oneLine(await commandOf(pid)), isCertain: false })));
}

/** Shortens a command line, which can be a whole script. */
function oneLine(text: string | undefined): string | undefined {
  const line = text?.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim();
  return line !== undefined && line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

function portOf(address: string | undefined): number {
  return Number.parseInt(address?.split(":").at(-1) ?? "", 16);
}

function linesOf(file: string): readonly string[] {
  return (kernelFileIfThere(file) ?? "").split("\n").slice(1);
}
