import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { readBoundedText } from "../../config/safe-file.ts";
import type { Stored } from "../../config/store.ts";
import { sha256 } from "../../digest.ts";
import { targetAt } from "../../file-status.ts";

/**
 * The id of a config's machine: its key `id`, which `define` makes. A config without one, written by hand or by an earlier version, gets an
 * id from its place in the file system: the folder's device and inode with the file's name. So a bind mount, a symlink or another spelling
 * gives the same id.
 */
export async function machineIdOf({ config, path }: Stored): Promise<string> {
  if (config.id !== undefined) return config.id;
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  return uuidFrom(sha256(`${dev}:${ino}:${basename(path)}`));
}

function uuidFrom(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

/** Whether two paths lead to the same file, however they are spelled. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const [first, second] = [one, other].map(targetAt);
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

/** Whether two paths mean the same file, also if there is none yet: they have the same name in the same folder. */
export async function isSamePlace(one: string, other: string): Promise<boolean> {
  return (await isSameFile(one, other)) || (basename(one) === basename(other) && (await isSameFile(dirname(one), dirname(other))));
}

/** The id in a config's text; undefined if there is none, or no config. */
export async function idIn(path: string): Promise<string | undefined> {
  const text = await readBoundedText(path).catch(() => "");
  return /"id"\s*:\s*"([0-9a-f-]{36})"/.exec(text)?.[1];
}
