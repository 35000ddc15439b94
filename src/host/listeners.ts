import { readdirSync, readlinkSync } from "node:fs";
import { kernelFileIfThere } from "./kernel-file.ts";

/**
 * The ids of the processes that listen on a Unix socket path, ascending. Only our own processes are seen, unless we are root. Source:
 * /proc/net/unix.
 */
export async function listenersOnUnix(path: string): Promise<readonly number[]> {
  return holdersOf(
    new Set(
      unixListeners()
        .filter((each) => each.path === path)
        .map(({ inode }) => inode),
    ),
  );
}

/** The processes that listen on a TCP port of this machine, on any of its addresses. Source: /proc/net/tcp and tcp6. */
export async function listenersOnTcp(port: number): Promise<readonly number[]> {
  return holdersOf(
    new Set(
      tcpListeners()
        .filter((each) => each.port === port)
        .map(({ inode }) => inode),
    ),
  );
}

/** Whether something listens on a Unix socket path, even if its process can't be seen here. */
export function isListenedOn(path: string): boolean {
  return unixListeners().some((each) => each.path === path);
}

/** The Unix sockets that one process listens on, by their paths as the process spelled them. Undefined if we may not look. */
export function unixSocketsOf(pid: number): readonly string[] | undefined {
  const held = heldBy(pid);
  return held && unixListeners().flatMap(({ path, inode }) => (held.has(`socket:[${inode}]`) ? [path] : []));
}

/** The path of the Unix socket that a process listens on with one of its descriptors. Undefined if there is none, or we may not look. */
export function unixSocketAt(pid: number, fd: number): string | undefined {
  const link = linkIfThere(`/proc/${pid}/fd/${fd}`);
  return unixListeners().find(({ inode }) => link === `socket:[${inode}]`)?.path;
}

/** The TCP ports that one process listens on. Undefined if we may not look. */
export function tcpPortsOf(pid: number): readonly number[] | undefined {
  const held = heldBy(pid);
  return held && tcpListeners().flatMap(({ port, inode }) => (held.has(`socket:[${inode}]`) ? [port] : []));
}

/** The kernel's __SO_ACCEPTCON, as /proc/net/unix shows it. */
const ACCEPTS = 0x10000;
/** The kernel's TCP_LISTEN. */
const LISTEN = "0A";

function unixListeners(): readonly { readonly path: string; readonly inode: string }[] {
  return linesOf("/proc/net/unix").flatMap((line) => {
    const [, , , flags, , , inode, ...rest] = line.trim().split(/ +/);
    const listens = inode !== undefined && flags !== undefined && (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
    return listens ? [{ path: rest.join(" "), inode }] : [];
  });
}

function tcpListeners(): readonly { readonly port: number; readonly inode: string }[] {
  return [...linesOf("/proc/net/tcp"), ...linesOf("/proc/net/tcp6")].flatMap((line) => {
    const fields = line.trim().split(/ +/);
    const inode = fields[9];
    return fields[3] === LISTEN && inode !== undefined ? [{ port: Number.parseInt(fields[1]?.split(":").at(-1) ?? "", 16), inode }] : [];
  });
}

/**
 * The ids of the processes that have one of these sockets open, ascending. Only our own processes are seen, unless we are root. Source:
 * /proc/PID/fd.
 */
export async function holdersOf(inodes: ReadonlySet<string>): Promise<readonly number[]> {
  if (inodes.size === 0) return [];
  const links = [...inodes].map((inode) => `socket:[${inode}]`);
  const holders: number[] = [];
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    const held = heldBy(pid);
    if (links.some((link) => held?.has(link) === true)) holders.push(pid);
    // There may be thousands: other work of this process goes on in between.
    if (pid % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return holders.sort((a, b) => a - b);
}

/**
 * The files that a process has open, as /proc names them. Undefined for another user's process, and for one that has just ended. Read
 * synchronously, see kernel-file.ts.
 */
function heldBy(pid: number): ReadonlySet<string> | undefined {
  const folder = `/proc/${pid}/fd`;
  try {
    return new Set(readdirSync(folder).map((fd) => linkIfThere(`${folder}/${fd}`)));
  } catch {
    return undefined;
  }
}

function linkIfThere(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function linesOf(file: string): readonly string[] {
  return (kernelFileIfThere(file) ?? "").split("\n").slice(1);
}
