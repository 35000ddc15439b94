import { lstatSync } from "node:fs";
import { join, resolve } from "node:path";
import { ownUser } from "./own-user.ts";

/** Where launch configs are, where sockets and pidfiles go, and where locks and records are; absolute paths. */
export interface Folders {
  readonly config: string;
  readonly runtime: string;
  readonly state: string;
}

/** Environment variables, as `process.env` has them. An empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user whose folders these are. `homedir` follows $HOME; `passwdHome` does not, and is undefined for a user without an entry in the
 * list of users.
 */
export interface User {
  readonly uid: number;
  readonly homedir: string;
  readonly passwdHome: string | undefined;
}

/**
 * The folders of the user who runs us.
 *
 * - configs: QMPCTL_CONFIG_DIR, else /etc/qmpctl for root, else the XDG place (~/.config/qmpctl)
 * - locks and records: QMPCTL_STATE_DIR, else /run/qmpctl for root, else ~/.local/state/qmpctl
 * - sockets and pidfiles: QMPCTL_RUNTIME_DIR, else the same
 * - histories: as locks and records, but /var/lib/qmpctl instead of /run/qmpctl
 *
 * The last two do not follow XDG_RUNTIME_DIR, XDG_STATE_HOME or HOME: a machine outlives the login that started it, and every session of
 * the user, also a cron job, must find the same lock.
 */
export function foldersOf(env: Environment, user: User = ownUser): Folders {
  const state = resolve(env["QMPCTL_STATE_DIR"] || stateFolder(user));
  return { config: resolve(configFolder(env, user)), runtime: resolve(env["QMPCTL_RUNTIME_DIR"] || stateFolder(user)), state };
}

/** Where root's locks and records are: they mean nothing after a boot. */
const OF_ROOT = "/run/qmpctl";

/** The folder beside that of locks and records for what outlives a boot of the host; the same one, where that does. */
export function lastingFolder(state: string): string {
  return state === OF_ROOT ? "/var/lib/qmpctl" : state;
}

/** Where the user's systemd finds units: QMPCTL_UNIT_DIR, else /etc/systemd/system for root, else ~/.config/systemd/user. */
export function unitFolder(env: Environment, user: User = ownUser): string {
  if (env["QMPCTL_UNIT_DIR"]) return resolve(env["QMPCTL_UNIT_DIR"]);
  // Where a home is, is looked up only for those who need one.
  return user.uid === 0 ? "/etc/systemd/system" : join(user.passwdHome ?? user.homedir, ".config", "systemd", "user");
}

function configFolder(env: Environment, user: User): string {
  if (env["QMPCTL_CONFIG_DIR"]) return env["QMPCTL_CONFIG_DIR"];
  if (user.uid === 0) return "/etc/qmpctl";
  return join(absolute(env["XDG_CONFIG_HOME"]) ?? join(absolute(env["HOME"]) ?? user.homedir, ".config"), "qmpctl");
}

function stateFolder({ uid, passwdHome }: User): string {
  if (uid === 0) return OF_ROOT;
  return passwdHome !== undefined && isOwnFolder(passwdHome, uid)
    ? join(passwdHome, ".local", "state", "qmpctl")
    : `/var/tmp/qmpctl-${uid}`;
}

/** The XDG specification says to ignore a relative path. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") === true ? path : undefined;
}

function isOwnFolder(path: string, uid: number): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === uid;
}
