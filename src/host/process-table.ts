import { readdirSync } from "node:fs";
import { type Process, processIf } from "./processes.ts";
import { isStillThere } from "./signal.ts";

/** How many looks a process gets that was just started: it may not have become its own program yet. */
const YOUNG = 3;
/** Every so many looks a process is read again: it may have become another program. */
const AGAIN = 16;

/**
 * The processes of this host whose command line is wanted, for a caller that looks again and again. A look reads what is new and some of
 * the rest: a sixteenth of what a look at all of them takes on a host with thousands.
 */
export class ProcessTable {
  readonly #wanted: (commandLine: string) => boolean;
  readonly #looks = new Map<number, number>();
  #kept: ReadonlyMap<number, Process> = new Map();
  #look = 0;

  /** `wanted` gets the words with NULs between them. */
  constructor(wanted: (commandLine: string) => boolean) {
    this.#wanted = wanted;
  }

  /** The wanted ones by ascending id, as far as they are known. */
  get processes(): readonly Process[] {
    return [...this.#kept.values()];
  }

  /** Looks again. Whether anything has changed: one is new, or gone. */
  async look(): Promise<boolean> {
    this.#look += 1;
    const pids = readdirSync("/proc")
      .filter((name) => /^\d/.test(name))
      .map(Number)
      .sort((one, other) => one - other);
    const found = await Promise.all(pids.map((pid) => this.#at(pid)));
    const before = this.#kept;
    this.#kept = new Map(found.flatMap((each) => (each === undefined ? [] : [[each.pid, each]])));
    const there = new Set(pids);
    for (const pid of this.#looks.keys()) if (!there.has(pid)) this.#looks.delete(pid);
    return this.#kept.size !== before.size || [...this.#kept].some(([pid, { started }]) => before.get(pid)?.started !== started);
  }

  async #at(pid: number): Promise<Process | undefined> {
    const [looks, kept] = [this.#looks.get(pid) ?? 0, this.#kept.get(pid)];
    this.#looks.set(pid, looks + 1);
    if (looks < YOUNG || pid % AGAIN === this.#look % AGAIN) return processIf(pid, this.#wanted);
    if (kept === undefined || (await isStillThere(kept))) return kept;
    // It has ended, and its id may be another's already.
    this.#looks.delete(pid);
    return processIf(pid, this.#wanted);
  }
}
