/// <reference lib="esnext.disposable" preserve="true" />
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { isErrorCode, messageOf } from "../../errors.ts";
import { isAlive } from "../../host/threads.ts";
import type { Session } from "../../qmp/session.ts";
import { DiedError } from "../model/errors.ts";
import { type Identity, StrangerError } from "./identity.ts";
import { lastWords } from "./last-words.ts";
import { type OpenOptions, openSession } from "./open.ts";
import { pollUntil } from "./poll-until.ts";
import { withDeadline } from "./with-deadline.ts";

/** The machine that a monitor belongs to, and how to learn about its end. */
export interface MonitorTarget {
  readonly name: string;
  readonly machine: Identity;
  readonly lastWords: () => Promise<string | null>;
}

/** By when a question must be answered. */
export interface AskOptions {
  readonly by?: Deadline;
  readonly signal?: AbortSignal | undefined;
}

/** How long a broken connection may take to come back before the machine counts as unreachable, in milliseconds. */
const REVIVAL = 5000;

/**
 * Opens the control monitor of a machine. Its last words are read from its run-time folder, if we started it. @throws as `Monitor.open`
 * does
 */
export function openMonitor(name: string, machine: Identity, options: OpenOptions): Promise<Monitor> {
  return Monitor.open({ name, machine, lastWords: () => lastWords(machine.known.folder) }, options);
}

/** The control monitor of one machine, for one piece of work. It outlives a connection that breaks. */
export class Monitor implements AsyncDisposable {
  readonly target: MonitorTarget;
  #session: Session;
  #pid: number | null;

  private constructor(target: MonitorTarget, session: Session) {
    this.target = target;
    this.#session = session;
    this.#pid = target.machine.pid;
  }

  /**
   * Connects, negotiates, and makes sure that it is the right machine.
   *
   * @throws StrangerError when another QEMU answers; the session's errors: connect, greeting, negotiation
   */
  static async open(target: MonitorTarget, options: OpenOptions): Promise<Monitor> {
    return new Monitor(target, await openSession(target.machine, options));
  }

  /** The connection at this moment. After a break there is another one, so don't keep it. */
  get session(): Session {
    return this.#session;
  }

  get pid(): number | null {
    return this.#pid;
  }

  /** Told the process that the vCPU threads belong to, once reading the machine has found it. */
  foundProcess(pid: number | null): void {
    this.#pid ??= pid;
  }

  /**
   * Asks, and asks once more on a new connection if this one breaks. So it is only for questions, and for commands that may be sent twice.
   *
   * @throws DiedError when QEMU is gone; TimeoutError when there is no answer by the deadline; the signal's reason; what the question
   * throws
   */
  ask<T>(question: (session: Session) => Promise<T>, options: AskOptions = {}): Promise<T> {
    return withDeadline((stillWanted) => this.#ask(question, stillWanted), `${this.target.name}: the monitor`, options);
  }

  async #ask<T>(question: (session: Session) => Promise<T>, stillWanted: () => boolean): Promise<T> {
    try {
      return await question(this.#session);
    } catch (error) {
      if (!isErrorCode(error, "closed") || !stillWanted()) throw error;
      await this.revive(error);
      if (!stillWanted()) throw error;
      return question(this.#session);
    }
  }

  /** Opens a new connection after one that broke. @throws DiedError when QEMU is gone; else what connecting throws */
  async revive(cause: unknown): Promise<void> {
    const by = deadlineIn(REVIVAL);
    const { seen } = await pollUntil(
      { look: () => this.#reopen(by, cause), done: ({ session }) => session !== null, pauses: [25] },
      { by },
    );
    if (seen.session === null) throw seen.error;
    this.#session = seen.session;
  }

  /** Tries to connect once. @throws DiedError when QEMU is certainly gone */
  async #reopen(by: Deadline, cause: unknown): Promise<{ readonly session: Session | null; readonly error?: unknown }> {
    await this.#mustLive(cause);
    try {
      return { session: await openSession(this.target.machine, { by }) };
    } catch (error) {
      if (error instanceof StrangerError) throw this.#died(null, error);
      if (by.left() > 0 && this.#pid === null && isErrorCode(error, "connect")) throw this.#died(null, cause);
      return { session: null, error };
    }
  }

  /**
   * Opens a new connection in place of one that answers nothing any more. QEMU takes the next client only after it has dropped the requests
   * of the one before, so nothing of them comes later.
   *
   * @throws DiedError when QEMU is gone; else what connecting throws
   */
  async renew(by: Deadline): Promise<void> {
    await this.#mustLive("its monitor says nothing");
    void this.#session.close();
    this.#session = await openSession(this.target.machine, { by }).catch((error: unknown) => {
      throw error instanceof StrangerError ? this.#died(null, error) : error;
    });
  }

  async #mustLive(cause: unknown): Promise<void> {
    if (this.target.machine.process !== null ? await this.target.machine.isThere() : this.#pid === null || (await isAlive(this.#pid)))
      return;
    throw this.#died(await this.target.lastWords(), cause);
  }

  #died(lastWords: string | null, cause: unknown): DiedError {
    const who = this.#pid === null ? "QEMU" : `QEMU (process ${this.#pid})`;
    return new DiedError(`${this.target.name}: ${who} is gone: ${messageOf(cause)}`, { pid: this.#pid, lastWords }, { cause });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close();
  }
}
