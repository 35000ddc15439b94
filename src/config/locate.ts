import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { sha256 } from "../digest.ts";
import { messageOf, UsageError } from "../errors.ts";
import { statusAt } from "../file-status.ts";
import { ConfigError } from "./config-error.ts";
import type { Folders } from "./folders.ts";
import { checkName } from "./names.ts";

/** Where a domain's config is, or would be. */
export interface ConfigPlace {
  /** The real path: links are resolved. */
  readonly path: string;
  /** The file's name without its ending. */
  readonly name: string;
  /** Whether it is in the config folder. There, the file's name is the domain's. */
  readonly named: boolean;
  /** The name of its run-time folder; no two places have the same. */
  readonly key: string;
  /** The link that it was found by, if it was: a second name of the config. */
  readonly alias?: string;
}

/** Linux's limits: PATH_MAX and NAME_MAX of limits.h, the first without the closing NUL. */
const LONGEST_PATH = 4095;
const LONGEST_PART = 255;

/**
 * Finds a domain's config by its name (in the config folder) or by a path: anything with a slash in it, or ending in `.json`.
 *
 * @throws UsageError when the text can't be a name or a path; ConfigError (`unsafe`) when a link leads out of its folder, (`io`) when the
 *   system refuses
 */
export async function locate(nameOrPath: string, folders: Folders): Promise<ConfigPlace> {
  if (nameOrPath.includes("\0"))
    throw new UsageError(`domain ${JSON.stringify(nameOrPath.slice(0, 60))}: it contains a NUL`, {
      value: nameOrPath,
      expected: "a name or a path",
    });
  const tooLong = nameOrPath.length > LONGEST_PATH || nameOrPath.split("/").some((part) => part.length > LONGEST_PART);
  const isPath = nameOrPath.includes("/") || nameOrPath.endsWith(".json");
  if (isPath && tooLong)
    throw new UsageError(`path ${JSON.stringify(nameOrPath.slice(0, 60))}… (${nameOrPath.length} characters): too long`, {
      value: nameOrPath,
      expected: `at most ${LONGEST_PATH} bytes, and ${LONGEST_PART} between two slashes`,
    });
  const { path, link } = follow(isPath ? resolve(nameOrPath) : join(folders.config, `${checkName(nameOrPath)}.json`));
  const named = dirname(path) === realFolder(folders.config);
  const name = basename(path).replace(/\.json$/, "");
  const alias = link === undefined ? {} : { alias: link };
  if (named) return { path, name: checkName(name), named, key: name, ...alias };
  return { path, name, named, key: keyOf(path, name), ...alias };
}

/** The real path of a config. A link may lead to a file in the same folder but not out of it, where somebody else could be writing. */
function follow(path: string): { readonly path: string; readonly link?: string } {
  const folder = realFolder(dirname(path));
  const inside = join(folder, basename(path));
  try {
    if (!lstatSync(inside).isSymbolicLink()) return { path: inside };
    const target = realpathSync.native(inside);
    if (dirname(target) !== folder) throw new ConfigError(path, "unsafe", `a link that leads out of its folder, to ${target}`);
    return { path: target, link: inside };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const code = (cause as { readonly code?: string }).code;
    if (code === "ENOENT" && statusAt(inside) === undefined) return { path: inside };
    const why = {
      ENOENT: "a link that leads nowhere",
      ELOOP: "a link that leads back to itself",
      ENOTDIR: "its folder is a file",
    }[code ?? ""];
    throw new ConfigError(path, code === "ENOENT" || code === "ELOOP" ? "unsafe" : "io", why ?? messageOf(cause), { cause });
  }
}

function realFolder(folder: string): string {
  try {
    return realpathSync.native(folder);
  } catch {
    return folder;
  }
}

/** No name contains "@", so a config in the config folder never has the key of one elsewhere. */
function keyOf(path: string, name: string): string {
  const safe = name
    .replace(/[^A-Za-z0-9._+-]/g, "_")
    .replace(/^[^A-Za-z0-9]/, "_")
    .slice(0, 40);
  return `${safe}@${sha256(path).slice(0, 8)}`;
}
