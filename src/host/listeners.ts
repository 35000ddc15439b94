import { readdir, readFile, readlink } from "node:fs/promises";

/** The processes (their ids, ascending) that listen on a Unix socket path. Only our own are seen, unless we are root. Source: /proc/net/unix. */
export async function listenersOnUnix(path: string): Promise<readonly number[]> {
  return holdersOf(new Set((await unixListeners()).filter((each) => each.path === path).map(({ inode }) => inode)));
}

/** The processes that listen on a TCP port of this machine, on any of its addresses. Source: /proc/net/tcp and tcp6. */
export async function listenersOnTcp(port: number): Promise<readonly number[]> {
  return holdersOf(new Set((await tcpListeners()).filter((each) => each.port === port).map(({ inode }) => inode)));
}

/** Where one process listens: paths of Unix sockets as it spelled them, TCP ports. Undefined where we may not look. */
export async function listeningOf(pid: number): Promise<{ readonly unix: readonly string[]; readonly tcp: readonly number[] } | undefined> {
  const folder = `/proc/${pid}/fd`;
  const fds = await readdir(folder).catch(() => undefined);
  if (fds === undefined) return undefined;
  const links = await Promise.all(fds.map((fd) => readlink(`${folder}/${fd}`).catch(() => "")));
  const held = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const [unix, tcp] = await Promise.all([unixListeners(), tcpListeners()]);
  return { unix: unix.filter(({ inode }) => held.has(inode)).map(({ path }) => path), tcp: tcp.filter(({ inode }) => held.has(inode)).map(({ port }) => port) };
}

/** The kernel's __SO_ACCEPTCON, as /proc/net/unix shows it. */
const ACCEPTS = 0x10000;
/** The kernel's TCP_LISTEN. */
const LISTEN = "0A";

async function unixListeners(): Promise<readonly { readonly path: string; readonly inode: string }[]> {
  return (await linesOf("/proc/net/unix")).flatMap((line) => {
    const [, , , flags, , , inode, ...rest] = line.trim().split(/ +/);
    const listens = inode !== undefined && flags !== undefined && (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
    return listens ? [{ path: rest.join(" "), inode }] : [];
  });
}

async function tcpListeners(): Promise<readonly { readonly port: number; readonly inode: string }[]> {
  return [...(await linesOf("/proc/net/tcp")), ...(await linesOf("/proc/net/tcp6"))].flatMap((line) => {
    const fields = line.trim().split(/ +/);
    const inode = fields[9];
    return fields[3] === LISTEN && inode !== undefined ? [{ port: Number.parseInt(fields[1]?.split(":").at(-1) ?? "", 16), inode }] : [];
  });
}

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
