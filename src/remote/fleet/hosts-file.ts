import { join } from "node:path";
import { ConfigError } from "../../config/config-error.ts";
import { readSafely } from "../../config/safe-file.ts";
import { isErrorCode, messageOf } from "../../errors.ts";
import { type HostPattern, parseHostList } from "./host-pattern.ts";
import type { KnownHosts } from "./known-hosts.ts";

/** The group of all that is in the file. */
const ALL = "all";
const GROUP = /^\w[\w.+-]*$/;

/** The file of the groups, in the folder of the configs. */
export function hostsFile(configFolder: string): string {
  return join(configFolder, "hosts");
}

/**
 * Reads the groups of the `hosts` file: a line `[group]`, and below it host lists. Hosts above the first group are in `@all` only. Null
 * if there is no such file.
 *
 * @throws ConfigError: `unsafe` if others can write it, `invalid` with the number of a line that can't be read, or `io`
 */
export async function readHostsFile(path: string): Promise<KnownHosts | null> {
  try {
    return { source: path, groups: groupsIn((await readSafely(path)).text, path), find: () => undefined };
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    throw error;
  }
}

function groupsIn(text: string, path: string): ReadonlyMap<string, readonly HostPattern[]> {
  const groups = new Map<string, HostPattern[]>();
  const all: HostPattern[] = [];
  let group: string | undefined;
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const fault = (why: string): ConfigError => new ConfigError(path, "invalid", `line ${index + 1}: ${why}`);
    // A blank beside a comma means nothing here: people write so in files.
    const words = line
      .replace(/(^|\s)#.*$/, "")
      .trim()
      .replace(/\s*,\s*/g, ",");
    if (words === "") continue;
    const header = /^\[([^[\]]*)\]$/.exec(words)?.[1];
    if (header !== undefined && !/:.*:/.test(header)) {
      group = checkGroup(header, fault);
      if (!groups.has(group)) groups.set(group, []);
      continue;
    }
    const own = words
      .split(/\s+/)
      .flatMap((list) => listIn(list, fault))
      .map((each) => ({ ...each, line: index + 1 }));
    if (group === undefined) all.push(...own);
    else groups.get(group)?.push(...own);
  }
  for (const name of groups.keys()) all.push({ text: `@${name}`, isGroup: true, isExcluded: false, pieces: [name] });
  return new Map([...groups, [ALL, all]]);
}

function checkGroup(name: string, fault: (why: string) => ConfigError): string {
  if (name === ALL) throw fault("[all]: @all is every host of this file already");
  const [, parent] = /^(.+):children$/.exec(name) ?? [];
  if (parent !== undefined) throw fault(`[${name}]: write [${parent}], and below it @GROUP for each group that is in it`);
  if (/:vars$/.test(name)) throw fault(`[${name}]: variables belong into an inventory of Ansible's, which --inventory reads`);
  if (!GROUP.test(name)) throw fault(`${JSON.stringify(`[${name}]`)}: a group's name has letters, digits, "_", ".", "+" and "-"`);
  return name;
}

function listIn(list: string, fault: (why: string) => ConfigError): readonly HostPattern[] {
  if (list.includes("=")) throw fault(`${list}: variables belong into an inventory of Ansible's, which --inventory reads`);
  try {
    return parseHostList(list);
  } catch (error) {
    throw isErrorCode(error, "usage") ? fault(messageOf(error)) : error;
  }
}
