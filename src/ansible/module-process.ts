import { writeSync } from "node:fs";
import { QmpctlError } from "../errors.ts";
import { endChildren } from "../wire/children.ts";
import type { Answer } from "./answer.ts";
import { isDict } from "./options.ts";
import type { Surroundings } from "./surroundings.ts";

/** A module: what it makes of its arguments. It never rejects. */
export type Module = (given: unknown, around: Surroundings) => Promise<Answer>;

/** Runs a module as this process, with the arguments that Ansible filled in, and ends it. */
export async function runModule(module: Module, given: unknown): Promise<void> {
  const connection = new Connection();
  process.on("uncaughtException", (error) =>
    finish({ changed: false, failed: true, msg: `internal error: ${error.message}`, exception: error.stack }),
  );
  // A user whom one becomes may not enter the folder of the one who logged in.
  for (const folder of [process.env["HOME"], "/"]) if (folder !== undefined && enter(folder)) break;
  const { _ansible_check_mode: check, _ansible_diff: diff } = isDict(given) ? given : {};
  const { signal } = connection;
  const answer = await module(given, {
    ...{ env: process.env, uid: process.geteuid?.() ?? -1, signal, check: check === true, diff: diff === true },
    begins: () => connection.begins(),
  });
  await endChildren();
  finish(answer);
}

function enter(folder: string): boolean {
  try {
    process.chdir(folder);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether somebody waits for the answer. With a terminal, sshd's hangup says when nobody does any more. Without one nothing says it, but
 * a write fails: a line feed in front of the answer is nothing to Ansible.
 */
class Connection {
  readonly #interrupted = new AbortController();
  #hasBegun = false;
  #isGone = false;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const)
      process.once(name, () => this.#interrupted.abort(new Error(`interrupted by ${name}`)));
    // What has begun goes on to its end.
    process.on("SIGHUP", () => this.#lost());
  }

  get signal(): AbortSignal {
    return this.#interrupted.signal;
  }

  begins(): void {
    if (!this.#isGone && !hears()) this.#lost();
    if (this.#isGone) throw nobodyWaits();
    this.#hasBegun = true;
  }

  #lost(): void {
    this.#isGone = true;
    if (!this.#hasBegun) this.#interrupted.abort(nobodyWaits());
  }
}

function nobodyWaits(): QmpctlError {
  return new QmpctlError("closed", "Ansible does not wait for the answer any more: nothing more was begun");
}

function hears(): boolean {
  try {
    writeSync(1, "\n");
    return true;
  } catch (error) {
    // A pipe that is full has a reader.
    return (error as NodeJS.ErrnoException).code === "EAGAIN";
  }
}

/** Writes the answer, in ASCII whatever the locale is there, and ends the process. */
function finish(answer: Answer): void {
  const text = JSON.stringify(answer, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  const ascii = text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  process.stdout.on("error", () => process.exit(1));
  process.stdout.write(`${ascii}\n`, () => process.exit(answer.failed === true ? 1 : 0));
}
