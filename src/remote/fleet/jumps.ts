import { env as ownEnvironment } from "node:process";
import { answerOf } from "../../host/answer.ts";
import type { FleetHost } from "./known-hosts.ts";

/** How many connections may be made at once to hosts behind one jump host: an sshd drops some where more than ten are not let in yet. */
export const MOST_BEHIND_ONE = 8;
/** How many programs are run at once. Each takes some milliseconds. */
const AT_ONCE = 8;
const TIMEOUT = 5000;
const LIMIT = 1024 * 1024;

/** How the user's ssh is asked. */
export interface JumpOptions {
  /** The program that is run as `ssh`; else QMPCTL_SSH of the environment, else `ssh`. */
  readonly ssh?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Which jump host each host is behind, by its name: the first of its ProxyJump, or its ProxyCommand, as the user's own ssh reads its
 * configuration; null where there is none. Nobody is connected to. With no more than {@link MOST_BEHIND_ONE} hosts nothing is asked, and a
 * program that can't tell means none.
 *
 * @throws the signal's reason
 */
export async function jumpsOf(hosts: readonly FleetHost[], options: JumpOptions = {}): Promise<ReadonlyMap<string, string | null>> {
  const ssh = options.ssh ?? (ownEnvironment["QMPCTL_SSH"] || "ssh");
  const jumps = new Map<string, string | null>(hosts.map(({ name }) => [name, null]));
  const [first, ...rest] = hosts;
  if (first === undefined || hosts.length <= MOST_BEHIND_ONE) return jumps;
  const ask = async (host: FleetHost): Promise<boolean> => {
    const settings = await settingsOf(ssh, host, options.signal);
    if (settings !== undefined) jumps.set(host.name, jumpIn(settings));
    return settings !== undefined;
  };
  // Where the first is not answered, the program knows no -G.
  if (!(await ask(first))) return jumps;
  const left = rest.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const host of left) await ask(host);
    }),
  );
  return jumps;
}

/** What `ssh -G` prints: a setting a line. Undefined if it prints something else. */
async function settingsOf(ssh: string, { at }: FleetHost, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { host, user, port } = at;
  const words = ["-G", "-T", ...(user === undefined ? [] : ["-l", user]), ...(port === undefined ? [] : ["-p", String(port)]), "--", host];
  try {
    const text = await answerOf(ssh, words, { timeout: TIMEOUT, limit: LIMIT, signal });
    return /^hostname \S/m.test(text) ? text : undefined;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

function jumpIn(settings: string): string | null {
  const jump = /^proxyjump (\S+)$/m.exec(settings)?.[1]?.split(",")[0] ?? /^proxycommand (.+)$/m.exec(settings)?.[1];
  return jump === undefined || jump === "none" ? null : jump;
}
