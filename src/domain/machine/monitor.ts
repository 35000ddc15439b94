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

/** The machine that a monitor is of, and how to learn of its end. */
export interface MonitorTarget {
  readonly name: string;
  readonly machine: Identity;
  readonly lastWords: () => Promise<string | null>;
}

/** How long a question may wait for its answer. */
export interface AskOptions {
  readonly by?: Deadline;
  readonly signal?: AbortSignal | undefined;
}

/** How long a broken connection may take to come back before the machine counts as unreachable. */
const REVIVAL = 5000;

/**
 * Opens the control monitor of a machine; its last words are in its run-time folder, where it was started by us. @throws as `Monitor.open`
 * does
 */
export function openMonitor(name: string, machine: Identity, options: OpenOptions): Promise<Monitor> {
  return Monitor.open({ name, machine, lastWords: () => lastWords(machine.known.folder) }, options);
}

/** The control monitor of one machine for the length of one piece of work; outlives a connection that breaks. */
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
   * Connects, negotiates, and makes sure that it is the machine that was meant.
   *
   * @throws StrangerError when another QEMU answers; the session's errors: connect, greeting, negotiation
   */
  static async open(target: MonitorTarget, options: OpenOptions): Promise<Monitor> {
    return new Monitor(target, await openSession(target.machine, options));
  }

  /** The connection as it is now. Another one after a break: don't keep it. */
  get session(): Session {
    return this.#session;
  }

  get pid(): number | null {
    return this.#pid;
  }

  /** What reading the machine found out: the process that the vCPU threads belong to. */
  foundProcess(pid: number | null): void {
    this.#pid ??= pid;
  }

  /**
   * Asks, and asks once more on a new connection when this one breaks: only for questions, or for commands that
   * may be sent twice.
   *
   * @throws DiedError when QEMU is gone, TimeoutError when there is no answer by the deadline, an abort's reason, else what the question
   * throws
   */
  ask<T>(question: (session: Session) => Promise<T>, options: AskOptions = {}): Promise<T> {
    return withDeadline((wanted) => this.#ask(question, wanted), `${this.target.name}: the monitor`, options);
  }

  async #ask<T>(question: (session: Session) => Promise<T>, wanted: () => boolean): Promise<T> {
    try {
      return await question(this.#session);
    } catch (error) {
      if (!isErrorCode(error, "closed") || !wanted()) throw error;
      await this.revive(error);
      if (!wanted()) throw error;
      return question(this.#session);
    }
  }

  /** After a broken connection: a new one, or the certainty that QEMU died. */
  async revive(cause: unknown): Promise<void> {
    const by = deadlineIn(REVIVAL);
    const { seen } = await pollUntil(
      { look: () => this.#reopen(by, cause), done: ({ session }) => session !== null, pauses: [25] },
      { by },
    );
    if (seen.session === null) throw seen.error;
    this.#session = seen.session;
  }

  /** Tries to connect once. @throws DiedError when QEMU is gone for sure */
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
   * A new connection in place of one that answers nothing more. QEMU takes the next client when it has dropped what the one before had
   * asked for, so that nothing of that comes later.
   *
   * @throws DiedError, else as connecting does
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
