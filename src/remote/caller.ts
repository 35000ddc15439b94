import { deadlineIn } from "../deadline.ts";
import { randomUuid } from "../digest.ts";
import { UsageError } from "../errors.ts";
import { carriedIn, revive } from "./carried-error.ts";
import { LostError, UnreachableError } from "./errors.ts";
import type { Ask, Link } from "./link.ts";
import type { Outcome } from "./outcomes.ts";

/**
 * How long a host is tried that takes no more connections now, how long to wait the first time, and at most, in milliseconds. Others who
 * come in first have to log in, which takes a busy host seconds.
 */
const PATIENCE = 20_000;
const PAUSE = 300;
const LONGEST_PAUSE = 3000;

/** A change whose connection was lost. */
interface Lost {
  readonly ask: Ask;
  readonly key: string;
  readonly lost: LostError;
  /** Which start of the host it was asked of. */
  readonly boot: string | undefined;
}

/**
 * Calls to one host, over one connection that is made when it is first needed. When it is lost, it is made once more: what only reads is
 * read again, and of what changes something it is asked what became of it.
 */
export class Caller implements AsyncDisposable {
  /** Of the host, as it stands in addresses. */
  readonly name: string;
  readonly #connect: () => Promise<Link>;
  #link: Promise<Link> | undefined;
  #isOver = false;

  /** `name`: of the host, as `-H` takes it. */
  constructor(name: string, connect: () => Promise<Link>) {
    this.name = name;
    this.#connect = connect;
  }

  /** The connection. @throws UnreachableError; UsageError when it was closed here: one that is made now would be closed by nobody */
  link(): Promise<Link> {
    if (this.#isOver)
      return Promise.reject(
        new UsageError(`${this.name}: the connection was closed here`, {
          value: this.name,
          expected: "a host or a domain that is not disposed of",
        }),
      );
    const link = (this.#link ??= this.#patiently());
    link.catch(() => (this.#link = undefined));
    return link;
  }

  /** Connects, and once more after a while where too many are let in at once: nothing was sent. @throws UnreachableError */
  async #patiently(): Promise<Link> {
    const deadline = deadlineIn(PATIENCE);
    for (let pause = PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await this.#connect();
      } catch (error) {
        if (!(error instanceof UnreachableError) || error.why !== "throttled" || deadline.left() === 0) throw error;
        // Not all at the same moment again.
        await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
      }
    }
  }

  /**
   * Asks the host for something.
   *
   * @throws what the far end throws; UnreachableError; LostError if the connection was lost, and what became of a change is not known; the
   * signal's reason
   */
  async call(ask: Ask): Promise<unknown> {
    const key = ask.writes === true && ask.domain !== null ? randomUuid() : undefined;
    const link = await this.link();
    try {
      return await link.call(key === undefined ? ask : { ...ask, key });
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
      if (this.#isOver) throw this.#closedHere(ask, key, error);
      this.#link = undefined;
      if (key !== undefined) return await this.#outcomeOf({ ask, key, lost: error, boot: link.boot });
      if (ask.writes === true) throw error;
      return await (await this.link()).call(ask);
    }
  }

  /** Nobody is asked what became of it: whoever closes the connection does not wait for that. */
  #closedHere({ what, domain }: Ask, key: string | undefined, cause: LostError): LostError {
    const rest = key === undefined ? "" : `; if ${what} of ${domain} had begun, it goes on there: qmpctl -H ${this.name} outcome ${key}`;
    return new LostError(this.name, `the connection was closed here${rest}`, key ?? null, { cause });
  }

  /** What became of a change whose connection was lost. */
  async #outcomeOf({ ask: { what, domain, options }, key, lost, boot }: Lost): Promise<unknown> {
    const later = `qmpctl -H ${this.name} outcome ${key}`;
    const say = (words: string, cause: unknown = lost): LostError =>
      new LostError(this.name, `${lost.message.replace(`${this.name}: `, "")}; ${words}`, key, { cause });
    let outcome: Outcome;
    try {
      outcome = await this.outcome(key, options?.signal);
    } catch (cause) {
      // Also when the caller does not want to wait any more: nobody took it back.
      throw say(`what became of it is not known; when the host can be reached: ${later}`, cause);
    }
    const { state } = outcome;
    if (state === "done" && outcome.isShort !== true) return outcome.value;
    if (state === "failed") throw await revive(outcome.failure);
    const [work, show] = [`${what} of ${domain}`, `qmpctl -H ${this.name} info ${domain}`];
    if (state === "done") throw say(`${work} was done, and there was no room to keep its report: ${show}`);
    if (state === "under-way") throw say(`${work} has not ended in its time there, and what became of it is not known; later: ${later}`);
    if (state === "interrupted")
      throw say(
        `${work} had begun, and its process ended there: qmpctl -H ${this.name} recover ${domain} --finish, or --undo, or --forget`,
      );
    if (boot !== undefined && boot !== (await this.link()).boot)
      throw say(`the host was started anew since, and what became of ${work} is not known: ${show}`);
    throw new LostError(this.name, `the connection was lost; ${work} never began, and nothing was touched`, null, { cause: lost });
  }

  /** What became of the call with a key, as it is kept there. @throws as `call` does */
  async outcome(key: string, signal?: AbortSignal): Promise<Outcome> {
    const found = (await (await this.link()).call({ what: "outcome", domain: null, args: [key], options: { signal } })) as Outcome;
    return found.state === "failed" ? { ...found, failure: carriedIn(found.failure) } : found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const link = await this.#link?.catch(() => undefined);
    await link?.close();
  }
}
