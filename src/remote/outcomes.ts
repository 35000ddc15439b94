/// <reference lib="esnext.disposable" preserve="true" />
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../config/config-error.ts";
import { readSafely, removeQuietly, replaceFile } from "../config/safe-file.ts";
import { sha256 } from "../digest.ts";
import { UsageError } from "../errors.ts";
import { acquireLock, LockedError } from "../host/lock.ts";
import { anything, object, optional, string } from "../shape.ts";
import { type CarriedError, carriedIn, carry } from "./carried-error.ts";

/**
 * What became of a call that changes something, as it is kept where the machine is.
 *
 * - `done`, `failed`: it ended with this value, or this error
 * - `interrupted`: it had begun, and its process died: `recover` resolves it, if there is anything to resolve
 * - `unknown`: it never began, and nothing was touched; or it is more than a day ago, or the host was started anew since
 */
export type Outcome =
  | { readonly state: "interrupted" | "unknown"; readonly domain?: string }
  | { readonly state: "done"; readonly value: unknown; readonly domain?: string }
  | { readonly state: "failed"; readonly failure: CarriedError; readonly domain?: string };

/** A call as it is kept by its key. */
interface Kept {
  /** Of what was asked: the same key never stands for two requests. */
  readonly digest: string;
  readonly domain: string;
  readonly state: string;
  readonly value?: unknown;
  readonly failure?: unknown;
}

const SHAPE = object({ digest: string, domain: string, state: string, value: optional(anything), failure: optional(anything) });

/** How many outcomes are kept, and how long, in milliseconds. */
const MOST = 64;
const LONGEST = 24 * 3600 * 1000;
/** The largest outcome, in bytes. */
const LIMIT = 16 * 1024 * 1024;

/** One call that is done once. */
export interface Work {
  readonly key: string;
  readonly domain: string;
  /** What is asked, whole. */
  readonly request: unknown;
  readonly signal: AbortSignal;
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
   * when nothing can be kept: then nothing was begun
   */
  async once({ key, domain, request, signal, run }: Work): Promise<unknown> {
    const path = this.#path(key);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#forgetOld();
    // Who does it holds the lock, and it is free when that process is gone.
    await using _ = await acquireLock(`${path}.lock`, { timeout: LONGEST, signal });
    const digest = sha256(JSON.stringify(request));
    const known = await this.#read(path);
    if (known !== null) {
      if (known.digest !== digest)
        throw new UsageError(`key ${key}: it stands for another request`, { value: key, expected: "a new key for each request" });
      const outcome = outcomeOf(known);
      if (outcome.state === "done") return outcome.value;
      if (outcome.state === "failed") throw new Recalled(outcome.failure);
      if (outcome.state === "interrupted")
        throw new UsageError(`key ${key}: what it stands for was interrupted, and may have to be resolved`, {
          value: key,
          expected: "qmpctl recover, then a new key",
        });
    }
    const write = (kept: Omit<Kept, "digest" | "domain">): Promise<void> =>
      replaceFile(path, JSON.stringify({ digest, domain, ...kept }), { flush: true });
    await write({ state: "waits" });
    let isKept = false;
    const keep = async (outcome: unknown): Promise<void> => {
      await write(outcome instanceof Error ? { state: "failed", failure: carry(outcome) } : { state: "done", value: outcome ?? null });
      isKept = true;
    };
    let begun = false;
    try {
      const value = await run(async () => {
        await write({ state: "begun" });
        begun = true;
      }, keep);
      if (!isKept) await keep(value).catch(() => undefined);
      return value;
    } catch (error) {
      // What never began can be asked again.
      if (!begun) await removeQuietly(path);
      else if (!isKept) await keep(error).catch(() => undefined);
      throw error;
    }
  }

  /** What became of a call; if it is under way, it is waited for. @throws UsageError for a key that can't be one; the signal's reason */
  async look(key: string, signal?: AbortSignal): Promise<Outcome> {
    const path = this.#path(key);
    if ((await this.#read(path)) === null) return { state: "unknown" };
    await using _ = await acquireLock(`${path}.lock`, { timeout: LONGEST, ...(signal === undefined ? {} : { signal }) });
    const kept = await this.#read(path);
    return kept === null ? { state: "unknown" } : outcomeOf(kept);
  }

  #path(key: string): string {
    if (/^[\w-]{8,64}$/.test(key)) return join(this.#folder, key);
    throw new UsageError(`key ${JSON.stringify(key)}: not a key`, { value: key, expected: "8 to 64 letters, digits, _ and -" });
  }

  async #read(path: string): Promise<Kept | null> {
    try {
      const kept: unknown = JSON.parse((await readSafely(path, LIMIT)).text);
      return SHAPE.fits(kept) ? kept : null;
    } catch (error) {
      if (error instanceof ConfigError && error.problem === "missing") return null;
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  /** Takes away the outcomes that nobody will ask for any more. One that somebody works on is not old. */
  async #forgetOld(): Promise<void> {
    const names = (await readdir(this.#folder).catch(() => [])).filter((name) => !name.endsWith(".lock") && !name.endsWith(".new"));
    if (names.length < MOST / 2) return;
    const times = await Promise.all(
      names.map(async (name) => ({
        name,
        time: await stat(join(this.#folder, name)).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      })),
    );
    const newest = times.toSorted((one, other) => other.time - one.time);
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

/** What is kept says of a call on which nobody works any more. */
function outcomeOf({ state, value, failure, domain }: Kept): Outcome {
  if (state === "done") return { state, value: value ?? null, domain };
  if (state === "failed") return { state, failure: carriedIn(failure), domain };
  return { state: state === "begun" ? "interrupted" : "unknown", domain };
}
