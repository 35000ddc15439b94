import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { ownUid } from "../../config/own-user.ts";
import { isOneLine } from "../harmless.ts";

/** How many lines a new shell loads. */
const KEPT = 1000;

// A line with a secret must never be in a file.
const SECRET = /passw|secret|"?data"?\s*[=:]/i;

/** Typed lines, in a file that nobody else can read. Several shells may write it at once. */
export class History {
  readonly #path: string;
  #last: string | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    const { XDG_STATE_HOME: state, HOME: home } = env;
    const root = state?.startsWith("/") === true ? state : join(home?.startsWith("/") === true ? home : homedir(), ".local", "state");
    this.#path = join(root, "qmpctl", "history");
  }

  /** The last lines, newest first, as readline wants them. None if the file can't be read, or if others can write it. */
  async load(): Promise<string[]> {
    try {
      const { uid, mode } = await stat(this.#path);
      if (uid !== ownUid() || (mode & 0o022) !== 0) return [];
      const lines = (await readFile(this.#path, "utf8")).split("\n").filter((line) => line !== "" && isOneLine(line));
      const kept = lines.slice(-KEPT);
      if (lines.length > 2 * KEPT) await this.#rewrite(kept);
      this.#last = kept.at(-1);
      return kept.toReversed();
    } catch {
      return [];
    }
  }

  /** Whether to remember a line. One with a secret is not kept, nor one with a blank in front, which means "forget this" in shells. */
  static keeps(line: string): boolean {
    return line.trim() !== "" && !/^\s/.test(line) && !SECRET.test(line);
  }

  /** Adds a line, unless it repeats the last one. Resolves with the error if this fails: the shell works without a history too. */
  async add(line: string): Promise<Error | undefined> {
    if (line === this.#last) return undefined;
    this.#last = line;
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const file = await open(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
      try {
        // A file that the user made may be readable by others.
        await file.chmod(0o600);
        await file.write(`${line.replaceAll("\n", " ")}\n`);
      } finally {
        await file.close();
      }
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  async #rewrite(lines: readonly string[]): Promise<void> {
    const fresh = `${this.#path}.${randomUUID()}`;
    try {
      await writeFile(fresh, `${lines.join("\n")}\n`, { mode: 0o600, flag: "wx" });
      await rename(fresh, this.#path);
    } catch {
      await rm(fresh, { force: true });
    }
  }
}
