import { lstatSync, type Stats } from "node:fs";
import { basename } from "node:path";
import { UnsafeError } from "../../errors.ts";
import type { QemuWords } from "./command-line.ts";
import { isTrusted } from "./verdict.ts";

/** How a QEMU can be reached: addresses of its monitors, and its run-time folder. */
export interface Sockets {
  readonly control: string | null;
  readonly watch: string | null;
  readonly folder: string | null;
  readonly obstacle: string | null;
}

/** Those of a QEMU that is not to be trusted. */
export const NO_SOCKETS: Sockets = { control: null, watch: null, folder: null, obstacle: null };

/** The way out for a machine that can't be asked. */
const LEFT = "it can only be ended (destroy), or powered off from inside the guest";

/**
 * The monitors of a QEMU: ours if it has them, else the config's own, else its first. If there is something else at its path, or another
 * user's socket, or nobody may look, the machine can't be asked: it runs all the same, and can be ended.
 */
export async function socketsOf(own: string | undefined, { folder: said, monitors }: QemuWords, recorded: string | null): Promise<Sockets> {
  const folder = recorded ?? said;
  const paths = monitors.flatMap((each) => (each.kind === "unix" ? [each.path] : []));
  const tcp = monitors.flatMap((each) =>
    each.kind === "tcp"
      ? [`tcp:${["", "0.0.0.0", "*"].includes(each.host) ? "127.0.0.1" : each.host === "::" ? "[::1]" : each.host}:${each.port}`]
      : [],
  );
  const [ours, watchers] = folder === null ? [] : [`${folder}/control.sock`, `${folder}/watch.sock`];
  // After QEMU has gone into the background by itself, its relative paths can no longer be resolved. The config's own path is tried all the
  // same: identity is checked there too.
  const isLikely = own !== undefined && paths.some((path) => basename(path) === basename(own));
  const wanted = [
    ...new Set([
      ...(ours === undefined ? [] : [ours]),
      ...(own !== undefined && paths.includes(own) ? [own] : []),
      ...paths,
      ...(isLikely ? [own] : []),
    ]),
  ].filter((path) => path !== watchers);
  try {
    for (const path of wanted) {
      if (!(await hasSocket(path))) continue;
      const watch = watchers !== undefined && (await hasSocket(watchers)) ? `unix:${watchers}` : null;
      return { control: `unix:${path}`, watch, folder, obstacle: null };
    }
  } catch (error) {
    if (!(error instanceof UnsafeError)) throw error;
    return { control: null, watch: null, folder, obstacle: `its monitor can't be used, ${error.message}: ${LEFT}` };
  }
  const [address] = tcp;
  if (address !== undefined) return { control: address, watch: null, folder, obstacle: null };
  const [gone] = wanted;
  const why = gone === undefined ? "it was started without a QMP monitor that others can reach" : `its monitor ${gone} is gone`;
  return {
    control: gone === undefined ? null : `unix:${gone}`,
    watch: null,
    folder,
    obstacle: `${why}: ${LEFT}`,
  };
}

/**
 * Whether there is a socket of ours, or of root's.
 *
 * @throws UnsafeError when something else is there, or another user's socket, or this user may not look
 */
async function hasSocket(path: string): Promise<boolean> {
  let stat: Stats;
  try {
    stat = lstatSync(path);
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "EACCES")
      throw new UnsafeError(path, "in a folder that this user may not enter", { cause });
    return false;
  }
  if (!stat.isSocket()) throw new UnsafeError(path, "not a socket");
  if (!isTrusted(stat.uid)) throw new UnsafeError(path, `belongs to user ${stat.uid}`);
  return true;
}
