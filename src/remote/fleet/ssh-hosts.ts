import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readBoundedText } from "../../config/safe-file.ts";
import { matches } from "../allowed.ts";

/** How many files are read, and how deep they may include each other, as ssh has it. */
const FILES = 64;
const DEPTH = 16;

/**
 * The hosts that a user's ssh_config has a Host for, with what it includes, in order; patterns are none. For completion: what can't be read
 * has none.
 */
export async function sshHosts(home: string): Promise<readonly string[]> {
  const reading = new Reading(home);
  await reading.file(join(home, ".ssh/config"), 0);
  return [...reading.hosts];
}

class Reading {
  readonly #home: string;
  readonly #read = new Set<string>();
  readonly hosts = new Set<string>();

  constructor(home: string) {
    this.#home = home;
  }

  async file(path: string, depth: number): Promise<void> {
    if (depth > DEPTH || this.#read.size >= FILES || this.#read.has(path)) return;
    this.#read.add(path);
    const text = await readBoundedText(path).catch(() => "");
    for (const line of text.split("\n")) {
      const [, keyword = "", rest = ""] = /^\s*(\w+)(?:\s*=\s*|\s+)(.*)$/.exec(line) ?? [];
      const words = [...rest.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word);
      if (/^host$/i.test(keyword)) for (const word of words) if (/^(?!-)[\w.:%+-]+$/.test(word)) this.hosts.add(word);
      if (!/^include$/i.test(keyword)) continue;
      for (const word of words) for (const each of await this.#included(word)) await this.file(each, depth + 1);
    }
  }

  /** The files that a word of an Include means: relative to ~/.ssh, and with the patterns of a shell. */
  async #included(word: string): Promise<readonly string[]> {
    const path = word.startsWith("~/") ? join(this.#home, word.slice(2)) : word.startsWith("/") ? word : join(this.#home, ".ssh", word);
    let found: readonly string[] = ["/"];
    for (const part of path.split("/").filter(Boolean)) {
      if (!/[*?]/.test(part)) {
        found = found.map((folder) => join(folder, part));
        continue;
      }
      const entries = await Promise.all(found.map(async (folder) => ({ folder, names: await readdir(folder).catch(() => []) })));
      found = entries.flatMap(({ folder, names }) =>
        names
          .filter((name) => matches(part, name) && (!name.startsWith(".") || part.startsWith(".")))
          .sort()
          .map((name) => join(folder, name)),
      );
    }
    return found.slice(0, FILES);
  }
}
