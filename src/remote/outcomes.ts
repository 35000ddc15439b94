/// <reference lib="esnext.disposable" preserve="true" />
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { removeQuietly } from "../config/safe-file.ts";
import { sha256 } from "../digest.ts";
import { HostError, messageOf, UsageError } from "../errors.ts";
import { acquireLock, type Lock, LockedError } from "../host/lock.ts";
import { type CarriedError, carriedIn, carry } from "./carried-error.ts";
import { keepLast, type Kept, readKept, writeKept } from "./kept.ts";

/**
 * What became of a call that changes something, as it is kept where the machine is.
 *
 * - `done`, `failed`: it ended with this value, or this error; `isShort`: there was no room there to keep its report
 * - `under-way`: it is later than it had to end, and its process is still there: it may be stopped
 * - `interrupted`: it had begun, and its process died: `recover` resolves it, if there is anything to resolve
 * - `unknown`: it never began, and nothing was touched; or it is more than a day ago, or the host was started anew since
 */
export type Outcome =
  | { readonly state: "interrupted" | "unknown" | "under-way"; readonly domain?: string }
  | { readonly state: "done"; readonly value: unknown; readonly domain?: string; readonly isShort?: boolean }
  | { readonly state: "failed"; readonly failure: CarriedError; readonly domain?: string; readonly isShort?: boolean };

/** How many outcomes are kept, and how long, in milliseconds. */
const MOST = 64;
const LONGEST = 24 * 3600 * 1000;

/** A call that is kept: its key, when it was last written, and how far it has come. */
export interface KeptCall {
  readonly key: string;
  readonly at: string;
  /** `begun`, `done` or `failed`; with a `message` why. One that is `begun` and whose process died was interrupted. */
  readonly state: string;
  readonly message?: string;
}

/** One call that is done once. */
export interface Work {
  readonly key: string;
  readonly domain: string;
  /** What is asked, whole. */
  readonly request: unknown;
  readonly signal: AbortSignal;
  /** By when it has to have ended, in milliseconds from now: others wait for it as long. */
  readonly patience: number;
  /** Does it. `onBegun` is to be called before anything is touched, and `keep` with what it comes to, while that can still be proved. */
  run(begun: () => Promise<void>, keep: (outcome: unknown) => Promise<void>): Promise<unknown>;
}

/** The outcomes that a host keeps, by the keys that the callers made. */
export class Outcomes {
  readonly #folder: string;

  /** `folder`: of locks and records of the user whose machines they are. */
  constructor(folder: string) {
    this.#folder = join(folder, "outcomes");
  }

  /**
   * Does something once: a second call with its key waits for the first one and gets the same answer.
   *
   * @throws what the work throws, or threw the first time; UsageError for a key that can't be one, or stands for another request; HostError
   * when nothing can be kept: then nothing was begun; LockedError when the first one is later than it had to end
   */
  async once({ key, domain, request, signal, patience, run }: Work): Promise<unknown> {
    const path = this.#path(key);
    await this.#makeFolder();
    await this.#forgetOld();
    // Who does it holds the lock, and it is free when that process is gone.
    await using _ = await acquireLock(`${path}.lock`, { timeout: patience, signal });
    const digest = sha256(JSON.stringify(request));
    const known = await readKept(path);
    const told = known === null ? undefined : answerOf(key, known, digest);
    if (told !== undefined) return told.value;
    const kept = { digest, domain, start: Date.now(), patience };
    await writeKept(path, { ...kept, state: "waits" });
    let isKept = false;
    const keep = async (outcome: unknown): Promise<void> => {
      await keepLast(path, {
        ...kept,
        ...(outcome instanceof Error ? { state: "failed", failure: carry(outcome) } : { state: "done", value: outcome ?? null }),
      });
      isKept = true;
    };
    let begun = false;
    try {
      const value = await run(async () => {
        await writeKept(path, { ...kept, state: "begun" });
        begun = true;
      }, keep);
      if (!isKept) await keep(value);
      return value;
    } catch (error) {
      // What never began can be asked again. Who waits for the lock sees that its file is another one by then.
      if (!begun) for (const each of [path, `${path}.lock`]) await removeQuietly(each);
      else if (!isKept) await keep(error);
      throw error;
    }
  }

  /**
   * What became of a call; if it is under way, it is waited for, as long as it may take.
   *
   * @throws UsageError for a key that can't be one; the signal's reason
   */
  async look(key: string, signal?: AbortSignal): Promise<Outcome> {
    const path = this.#path(key);
    const known = await readKept(path);
    if (known === null) return { state: "unknown" };
    await using lock = await turn(path, known, signal);
    if (lock === null) return { state: "under-way", domain: known.domain };
    const kept = await readKept(path);
    return kept === null ? { state: "unknown" } : outcomeOf(kept);
  }

  /**
   * The calls about a domain that are kept, the newest first, each with when it was last written, ISO 8601. Nothing is waited for: one that
   * is under way is `begun`.
   */
  async about(domain: string): Promise<readonly KeptCall[]> {
    const calls: KeptCall[] = [];
    for (const { name, time } of await this.#newest()) {
      const kept = await readKept(join(this.#folder, name)).catch(() => null);
      if (kept?.domain !== domain || kept.state === "waits") continue;
      const { message } = carriedIn(kept.failure);
      calls.push({ key: name, at: new Date(time).toISOString(), state: kept.state, ...(kept.state === "failed" ? { message } : {}) });
    }
    return calls;
  }

  /** The keys of the calls that are kept, the newest first. */
  async keys(): Promise<readonly string[]> {
    return (await this.#newest()).map(({ name }) => name);
  }

  #path(key: string): string {
    if (/^[\w-]{8,64}$/.test(key)) return join(this.#folder, key);
    throw new UsageError(`key ${JSON.stringify(key)}: not a key`, { value: key, expected: "8 to 64 letters, digits, _ and -" });
  }

  async #makeFolder(): Promise<void> {
    try {
      // Of a read-only file system, Node says by itself that a folder is missing; without `recursive` it says what is.
      await mkdir(this.#folder, { recursive: true, mode: 0o700 }).catch(() => mkdir(this.#folder, { mode: 0o700 }));
    } catch (cause) {
      throw new HostError(
        `${this.#folder}: what becomes of the change can't be kept, so it was not begun: ${messageOf(cause)}`,
        {},
        { cause },
      );
    }
  }

  /** The outcomes that there are, the newest first. */
  async #newest(): Promise<readonly { readonly name: string; readonly time: number }[]> {
    const names = (await readdir(this.#folder).catch(() => [])).filter((name) => !name.endsWith(".lock") && !name.endsWith(".new"));
    const times = await Promise.all(
      names.map(async (name) => ({
        name,
        time: await stat(join(this.#folder, name)).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      })),
    );
    return times.toSorted((one, other) => other.time - one.time);
  }

  /** Takes away the outcomes that nobody will ask for any more. One that somebody works on is not old. */
  async #forgetOld(): Promise<void> {
    const newest = await this.#newest();
    if (newest.length < MOST / 2) return;
    const old = newest.filter(({ time }, at) => at >= MOST || Date.now() - time > LONGEST);
    for (const { name } of old) await this.#forget(join(this.#folder, name));
  }

  async #forget(path: string): Promise<void> {
    try {
      await using _ = await acquireLock(`${path}.lock`, { timeout: 0 });
      await rm(path, { force: true });
      await rm(`${path}.lock`, { force: true });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
    }
  }
}

/** An error that a call ended with when it was made first: it is told as it was. */
export class Recalled extends Error {
  readonly carried: CarriedError;

  constructor(carried: CarriedError) {
    super(carried.message);
    this.carried = carried;
  }
}

/** The lock of a call that is worked on, once that is over; null if it is not over when it had to be. */
async function turn(path: string, { start = 0, patience = 0 }: Kept, signal: AbortSignal | undefined): Promise<Lock | null> {
  const left = Math.min(patience, Math.max(0, start + patience - Date.now()));
  try {
    return await acquireLock(`${path}.lock`, { timeout: left, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    if (error instanceof LockedError) return null;
    throw error;
  }
}

/** What the same call was answered before; undefined if it never began. @throws Recalled; UsageError */
function answerOf(key: string, known: Kept, digest: string): { readonly value: unknown } | undefined {
  if (known.digest !== digest)
    throw new UsageError(`key ${key}: it stands for another request`, { value: key, expected: "a new key for each request" });
  const outcome = outcomeOf(known);
  if (outcome.state === "failed") throw new Recalled(outcome.failure);
  if (outcome.state === "done" && outcome.isShort !== true) return { value: outcome.value };
  if (outcome.state === "unknown") return undefined;
  const why =
    outcome.state === "done" ? "was done, and there was no room to keep its report" : "was interrupted, and may have to be resolved";
  throw new UsageError(`key ${key}: what it stands for ${why}`, { value: key, expected: "qmpctl info, or recover, then a new key" });
}

/** What is kept says of a call on which nobody works any more. */
function outcomeOf({ state, value, failure, domain, isShort }: Kept): Outcome {
  const short = isShort === true ? { isShort } : {};
  if (state === "done") return { state, value: value ?? null, domain, ...short };
  if (state === "failed") return { state, failure: carriedIn(failure), domain, ...short };
  return { state: state === "begun" ? "interrupted" : "unknown", domain };
}
