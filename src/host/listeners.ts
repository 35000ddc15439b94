import { readdir, readFile, readlink } from "node:fs/promises";

/** The processes (their ids, ascending) that listen on a Unix socket path. Only our own are seen, unless we are root. Source: /proc/net/unix. */
export async function listenersOnUnix(path: string): Promise<readonly number[]> {
  const inodes = new Set<string>();
  for (const line of await linesOf("/proc/net/unix")) {
    const [, , , flags, , , inode, ...rest] = line.trim().split(/ +/);
    if (inode !== undefined && flags !== undefined && (Number.parseInt(flags, 16) & ACCEPTS) !== 0 && rest.join(" ") === path) inodes.add(inode);
  }
  return holdersOf(inodes);
}

/** The processes that listen on a TCP port of this machine, on any of its addresses. Source: /proc/net/tcp and tcp6. */
export async function listenersOnTcp(port: number): Promise<readonly number[]> {
  const inodes = new Set<string>();
  for (const line of [...(await linesOf("/proc/net/tcp")), ...(await linesOf("/proc/net/tcp6"))]) {
    const fields = line.trim().split(/ +/);
    const localPort = Number.parseInt(fields[1]?.split(":").at(-1) ?? "", 16);
    const inode = fields[9];
    if (fields[3] === LISTEN && localPort === port && inode !== undefined) inodes.add(inode);
  }
  return holdersOf(inodes);
}

/** The kernel's __SO_ACCEPTCON, as /proc/net/unix shows it. */
const ACCEPTS = 0x10000;
/** The kernel's TCP_LISTEN. */
const LISTEN = "0A";

async function holdersOf(inodes: ReadonlySet<string>): Promise<readonly number[]> {
  if (inodes.size === 0) return [];
  const links = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const holds = await Promise.all(pids.map((pid) => hasOneOf(pid, links)));
  return pids.filter((_, index) => holds[index]).sort((a, b) => a - b);
}

async function hasOneOf(pid: number, links: ReadonlySet<string>): Promise<boolean> {
  try {
    const folder = `/proc/${pid}/fd`;
    const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")));
    return targets.some((target) => links.has(target));
  } catch {
    return false; // somebody else's process, or one that has just ended
  }
}

async function linesOf(file: string): Promise<readonly string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").slice(1);
  } catch {
    return [];
  }
}
