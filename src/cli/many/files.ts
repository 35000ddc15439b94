import { readdirSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { commandLine } from "../../domain/model/format.ts";
import { changesOf } from "../../domain/resources/allocation.ts";
import { readWanted, type WantedInFile } from "../../domain/resources/whole-config.ts";
import { messageOf, QmpctlError, UsageError } from "../../errors.ts";
import { type Arguments, misuse } from "../options.ts";

/** One file, and the domain that it is for. */
export interface FileFor {
  readonly file: string;
  readonly domain: string;
  readonly wanted: WantedInFile;
}

/** What the words of a command line name. */
export interface FilesFound {
  readonly files: readonly string[];
  /** What is in a folder besides. */
  readonly skipped: readonly string[];
}

const EACH = "--each, where each is for a domain of its own, or DOMAIN FILE";

/**
 * Whether the operands of `apply` are files, each for its own domain: a folder, one file, three files or more, or `--each`. Of two, the
 * first may also be a domain by the path of its config; an allocation is none, and what such a domain is given has always been one.
 *
 * @throws UsageError where both can be meant
 */
export async function areFiles(args: Arguments<"each", never>, read: (path: string) => Promise<string>): Promise<boolean> {
  const [first = "", second] = args.operands;
  if (args.flag("each") || args.operands.length > 2 || isFolder(first)) return true;
  if (second === undefined) {
    if (!isFile(first)) throw noFile(first);
    return true;
  }
  if (!first.endsWith(".json") || !isFile(first)) {
    if (isFolder(second)) throw misuse(`${second}: a folder has files for several domains`, second, ofFolder(first, second));
    return false;
  }
  if (isFolder(second)) return true;
  if (!second.endsWith(".json") || !isFile(second)) return false;
  if (!isConfig(await read(first))) return true;
  if (!isConfig(await read(second))) return false;
  const way = `${EACH} by its name`;
  throw misuse(`${first} ${second}: is ${first} a file to be applied, or the domain that ${second} is for? Give ${way}`, first, way);
}

/** What is missing beside one word that is no file. */
function noFile(word: string): UsageError {
  if (word === "-") return misuse("DOMAIN: missing: standard input has no name", word, "DOMAIN -");
  const input = `- after ${word} reads standard input`;
  return misuse(
    `FILE: missing: ${word} is no file and no folder`,
    word,
    `${word} and a file for it (${input}), or files called DOMAIN.json`,
  );
}

function ofFolder(domain: string, folder: string): string {
  return `${commandLine("apply", folder)}, or one file: ${commandLine("apply", domain, join(folder, `${domain}.json`))}`;
}

/** Whether a text looks like a whole config: reading it says what is wrong with it. */
function isConfig(text: string): boolean {
  return /"emulator"\s*:/.test(text);
}

/** The files that are named, those of folders too. @throws UsageError where there is none, or one is named twice */
export function filesIn(operands: readonly string[]): FilesFound {
  const skipped: string[] = [];
  const files = operands.flatMap((path) => {
    if (!isFolder(path)) return [path];
    const all = readdirSync(path, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
    const names = all.map(({ name }) => name).toSorted();
    const isOurs = (name: string): boolean => name.endsWith(".json") && !isFolder(join(path, name));
    skipped.push(...names.filter((name) => !isOurs(name)).map((name) => join(path, name)));
    if (!names.some(isOurs)) throw misuse(`${path}: no file in it is called DOMAIN.json`, path, "a folder with files called DOMAIN.json");
    return names.filter(isOurs).map((name) => join(path, name));
  });
  return { files, skipped };
}

/**
 * Reads them all, before anything is asked of a domain. A file is for the domain that it is called by; a whole config has the same name in
 * it. @throws UsageError with everything that is wrong
 */
export async function readFiles(files: readonly string[], read: (path: string) => Promise<string>): Promise<readonly FileFor[]> {
  const wrong: string[] = [];
  const found: FileFor[] = [];
  for (const file of files) {
    try {
      const wanted = readWanted(await read(file), file);
      checkAllocation(wanted, file);
      const domain = basename(file).replace(/\.json$/, "");
      const twin = found.find((each) => each.domain === domain);
      const within = wanted.config?.name ?? domain;
      if (within !== domain)
        wrong.push(`${file}: it is the config of ${within}: call it ${within}.json, or apply it by qmpctl apply ${within} ${file}`);
      else if (twin !== undefined) wrong.push(`${file}: ${twin.file} is for ${domain} too`);
      else found.push({ file, domain, wanted });
    } catch (error) {
      if (!(error instanceof QmpctlError)) throw error;
      wrong.push(messageOf(error));
    }
  }
  if (wrong.length > 0) throw misuse(wrong.join("; "), wrong.length, "in each file an allocation (qmpctl schema allocation) or a config");
  return found;
}

/** @throws UsageError that names the file */
function checkAllocation({ wanted }: WantedInFile, file: string): void {
  try {
    changesOf(wanted);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw misuse(error.message.replace(/^allocation:/, `${file}:`), error.value, error.expected);
  }
}

function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true;
}

/** What a path leads to; undefined where nothing is, or we may not look: reading it will say why. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
