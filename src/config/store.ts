import { chmod, link, lstat, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pid as ownPid } from "node:process";
import { randomHex, sha256 } from "../digest.ts";
import { messageOf } from "../errors.ts";
import { statusAt } from "../file-status.ts";
import { ConfigError } from "./config-error.ts";
import { entriesOf, linksIn } from "./config-folder.ts";
import { type LaunchConfig, parseLaunchConfig } from "./launch.ts";
import type { ConfigPlace } from "./locate.ts";
import { flushFolder, readSafely, removeQuietly, type SafeText, writeNew } from "./safe-file.ts";

/** A config as it was read. `digest` (SHA-256, hex) tells whether the file still is what was read. */
export interface Stored {
  readonly place: ConfigPlace;
  readonly path: string;
  readonly text: string;
  readonly digest: string;
  readonly config: LaunchConfig;
  /** How many names the file has. If it has more than one, a new text would leave the other names with the old one. */
  readonly links: number;
}

/** A config's new text, flushed to disk beside the old one, and not in use yet. */
export interface Prepared {
  /** The file with the new text, until it is committed or dropped. */
  readonly temporary: string;
  /** What the new file can't have of the old one, in words for the user; null if it has everything. */
  readonly note: string | null;
  /**
   * Puts the new text in place, completely or not at all.
   *
   * @throws ConfigError `changed` when the file is no longer what was read, `io` when the system refuses
   */
  commit(): Promise<Stored>;
  /** Removes the new text. Harmless after a commit, and if called twice. */
  drop(): Promise<void>;
}

/**
 * Reads a config.
 *
 * @throws ConfigError: `missing`, `unsafe`, `invalid` (also when the file's name is not the domain's), `io`
 */
export async function readConfig(place: ConfigPlace): Promise<Stored> {
  const { text, links } = await readSafely(place.path);
  return asStored(place, text, links);
}

/**
 * Checks that there is a config; it may still not be readable.
 *
 * @throws ConfigError `missing` when there is none
 */
export async function mustExist(place: ConfigPlace): Promise<void> {
  if (statusAt(place.path) === undefined) throw new ConfigError(place.path, "missing", "there is no such config");
}

/**
 * Writes a config's next text beside it. The text is checked first, so a text that can't be read again is never written.
 *
 * @throws ConfigError `invalid` when the new text is no config, `changed` when the file is no longer what was read, `io` when the system
 *   refuses
 */
export async function prepareConfig(stored: Stored, newText: string): Promise<Prepared> {
  const next = asStored(stored.place, newText);
  const owner = await unchanged(stored);
  const temporary = temporaryOf(stored.path);
  const { hasGroup } = await writeNew(temporary, newText, stored.path, owner);
  let state: "prepared" | "committed" | "dropped" = "prepared";
  return {
    temporary,
    note: hasGroup
      ? null
      : `the config had group ${owner.gid}, which this user is not in: it has this user's group now, and the old group can't read it any more`,
    commit: async () => {
      if (state === "dropped") throw new ConfigError(stored.path, "io", "the prepared text was dropped already");
      if (state === "prepared") await replace(stored, temporary, hasGroup ? owner.mode : narrowed(owner.mode));
      state = "committed";
      return next;
    },
    drop: async () => {
      if (state === "prepared") await removeQuietly(temporary);
      if (state === "prepared") state = "dropped";
    },
  };
}

/**
 * Writes a new config, and creates its folder if it is missing. With `replace`, an existing config is replaced in one step.
 *
 * @throws ConfigError `invalid` when the text is no config, `exists` when there is one already and `replace` is not given, `io` when the
 *   system refuses
 */
export async function createConfig(place: ConfigPlace, text: string, options: { readonly replace?: boolean } = {}): Promise<Stored> {
  const stored = asStored(place, text);
  const temporary = temporaryOf(place.path);
  await attempt(place.path, () => mkdir(dirname(place.path), { recursive: true, mode: 0o700 }));
  await writeNew(temporary, text, place.path);
  try {
    // link(2) fails if the name is taken; rename(2) does not.
    await attempt(place.path, () => (options.replace === true ? rename(temporary, place.path) : link(temporary, place.path)));
  } finally {
    await removeQuietly(temporary);
  }
  await flushFolder(dirname(place.path));
  return stored;
}

/**
 * Removes a config if it still is what was read, and the links beside it that lead to it, since they would lead nowhere. Returns those
 * links.
 *
 * @throws ConfigError: `changed`, `io`
 */
export async function removeConfig(stored: Stored): Promise<readonly string[]> {
  await unchanged(stored);
  const folder = dirname(stored.path);
  const links = (await linksIn(folder)).filter(({ target }) => target === stored.path).map(({ link }) => link);
  await attempt(stored.path, () => rm(stored.path));
  for (const link of links) await removeQuietly(link);
  await flushFolder(folder);
  return links;
}

/**
 * Removes a second name of a config, and nothing of the config itself.
 *
 * @throws ConfigError `io` when the system refuses
 */
export async function removeAlias(link: string): Promise<void> {
  await attempt(link, async () => {
    if ((await lstat(link)).isSymbolicLink()) await rm(link);
  });
  await flushFolder(dirname(link));
}

/**
 * Removes what dead writers left beside a config; returns how many files. A file whose writer is alive (`isAlive`) is left. Call it only
 * under the domain's lock.
 */
export async function sweepLeftovers(place: ConfigPlace, isAlive: (pid: number) => Promise<boolean>): Promise<number> {
  const folder = dirname(place.path);
  const prefix = `.${basename(place.path)}.`;
  const named = (await entriesOf(folder)).flatMap((file) => {
    const found = file.startsWith(prefix) ? /^(?:(\d+)-)?[0-9a-f]{12}\.new$/.exec(file.slice(prefix.length)) : null;
    return found === null ? [] : [{ file, writer: Number(found[1] ?? 0) }];
  });
  const living = await Promise.all(named.map(({ writer }) => writer !== 0 && writer !== ownPid && isAlive(writer)));
  const left = named.filter((_, position) => living[position] !== true);
  await Promise.all(left.map(({ file }) => removeQuietly(join(folder, file))));
  return left.length;
}

/** The digest of a config's text. */
export function digestOf(text: string): string {
  return sha256(text);
}

function asStored(place: ConfigPlace, text: string, links = 1): Stored {
  const config = parseLaunchConfig(text, place.path);
  if (place.named && config.name !== place.name) {
    throw new ConfigError(place.path, "invalid", [
      { path: "name", value: config.name, expected: `${JSON.stringify(place.name)}, as the file is called` },
    ]);
  }
  // Most readers never ask for the digest.
  let digest: string | undefined;
  return {
    place,
    path: place.path,
    text,
    config,
    links,
    get digest() {
      return (digest ??= digestOf(text));
    },
  };
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${ownPid}-${randomHex(12)}.new`);
}

/** Checks that the file is what was read, and returns its owner and mode. */
async function unchanged(stored: Stored): Promise<SafeText> {
  const now = await readSafely(stored.path).catch((cause: unknown) => {
    if (cause instanceof ConfigError && cause.problem === "missing")
      throw new ConfigError(stored.path, "changed", "somebody removed it since it was read", { cause });
    throw cause;
  });
  if (now.text !== stored.text) throw new ConfigError(stored.path, "changed", "somebody else changed it since it was read");
  return now;
}

async function replace(stored: Stored, temporary: string, mode: number): Promise<void> {
  await unchanged(stored);
  await attempt(stored.path, () => chmod(temporary, mode));
  await attempt(stored.path, () => rename(temporary, stored.path));
  // From here on everyone reads the new text, so nothing that follows may turn the commit into a failure.
  await flushFolder(dirname(stored.path));
}

/** Another group gets no more rights than everyone has. */
function narrowed(mode: number): number {
  return (mode & 0o707) | (mode & 0o070 & ((mode & 0o007) << 3));
}

async function attempt(path: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "EEXIST")
      throw new ConfigError(path, "exists", "there is such a config already; define --replace puts the new one in its place", { cause });
    throw new ConfigError(path, "io", messageOf(cause), { cause });
  }
}
