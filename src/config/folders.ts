import { lstatSync } from "node:fs";
import { join, resolve } from "node:path";
import { ownUser } from "./own-user.ts";

/** Where launch configs are, and where run-time files go; absolute paths. */
export interface Folders {
  readonly config: string;
  readonly runtime: string;
}

/** Environment variables, as `process.env` has them. An empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The user whose folders they are. */
export interface User {
  readonly uid: number;
  readonly homedir: string;
}

/**
 * The folders of the user who runs us. Configs: QMPCTL_CONFIG_DIR, else for root /etc/qmpctl, else the XDG place (~/.config/qmpctl).
 * Run-time files: QMPCTL_RUNTIME_DIR, else for root /run/qmpctl, else the XDG place (/run/user/UID/qmpctl), else /tmp/qmpctl-UID.
 */
export function foldersOf(env: Environment, user: User = ownUser): Folders {
  return { config: resolve(configFolder(env, user)), runtime: resolve(runtimeFolder(env, user.uid)) };
}

function configFolder(env: Environment, user: User): string {
  if (env["QMPCTL_CONFIG_DIR"]) return env["QMPCTL_CONFIG_DIR"];
  if (user.uid === 0) return "/etc/qmpctl";
  return join(absolute(env["XDG_CONFIG_HOME"]) ?? join(absolute(env["HOME"]) ?? user.homedir, ".config"), "qmpctl");
}

function runtimeFolder(env: Environment, uid: number): string {
  if (env["QMPCTL_RUNTIME_DIR"]) return env["QMPCTL_RUNTIME_DIR"];
  if (uid === 0) return "/run/qmpctl";
  // A cron job or an `su` has no XDG_RUNTIME_DIR and must still see the machines that a login started.
  const ofLogin = absolute(env["XDG_RUNTIME_DIR"]) ?? ownFolder(`/run/user/${uid}`, uid);
  return ofLogin === undefined ? `/tmp/qmpctl-${uid}` : join(ofLogin, "qmpctl");
}

/** The XDG specification has a relative path ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") === true ? path : undefined;
}

function ownFolder(path: string, uid: number): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === uid ? path : undefined;
}
