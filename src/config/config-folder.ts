import { readdirSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { ConfigError } from "./config-error.ts";
import type { Folders } from "./folders.ts";
import { isName } from "./names.ts";

/**
 * The names of all domains of the config folder, sorted. A link to another of them does not count as a domain. Not all of them may be
 * readable.
 *
 * @throws ConfigError `io` when the folder can't be read
 */
export async function listNames(folders: Folders): Promise<readonly string[]> {
  const files = await entriesOf(folders.config);
  const names = files
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .filter(isName)
    .sort();
  const links = await linksIn(folders.config);
  const isSecond = (name: string): boolean =>
    links.some(
      ({ link, target }) =>
        basename(link) === `${name}.json` && names.includes(basename(target).replace(/\.json$/, "")) && dirname(target) === dirname(link),
    );
  return names.filter((name) => !isSecond(name));
}

/** The links of a folder that lead somewhere, by real paths. */
export async function linksIn(folder: string): Promise<readonly { readonly link: string; readonly target: string }[]> {
  const real = await realpath(folder).catch(() => folder);
  const entries = await readdir(real, { withFileTypes: true }).catch(() => []);
  const links = entries.filter((entry) => entry.isSymbolicLink() && entry.name.endsWith(".json")).map(({ name }) => join(real, name));
  const targets = await Promise.all(links.map((link) => realpath(link).catch(() => null)));
  return links.flatMap((link, position) => {
    const target = targets[position];
    return target === null || target === undefined ? [] : [{ link, target }];
  });
}

/**
 * The names of all files in a folder; empty if there is no such folder.
 *
 * @throws ConfigError `io` when the folder can't be read
 */
export async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "ENOENT") return [];
    throw new ConfigError(folder, "io", messageOf(cause), { cause });
  }
}
