import { idOfObject, MARK_PREFIX } from "../../config/mark.ts";
import { isErrorCode, QmpctlError } from "../../errors.ts";
import { isStillThere, type ProcessIdentity, sendSignal } from "../../host/signal.ts";
import { isAlive, processOf } from "../../host/threads.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { pollUntil, type Until } from "./poll-until.ts";

/**
 * The QEMU that answers is not the domain's, or that can't be told for sure. Nothing was touched. The message says whose it is, and how to
 * adopt it.
 */
export class StrangerError extends QmpctlError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("refused", message, options);
  }
}

/** How long to pause between looks for the end of a process, in milliseconds. */
const ENDING: readonly number[] = [5, 8, 12, 18, 25, 40, 60, 100];

/** What a QEMU says about itself over QMP: enough to tell it from others, and one run of it from the next. */
export interface Word {
  /** The machine's id, from its mark; null without a mark. */
  readonly mark: string | null;
  readonly name: string | null;
  readonly uuid: string;
  /** The thread of its first vCPU, which is never unplugged; null without vCPUs. */
  readonly thread: number | null;
  readonly threads: readonly number[];
}

/** What is known about a QEMU when it is found. */
export interface Known {
  /** The domain that it should be: its name, or the address that the caller gave. */
  readonly domain: string;
  /** The name that QEMU must report, if nothing else tells who it is; null if it is known otherwise, or may be any QEMU. */
  readonly name: string | null;
  /** The id of its mark; null if it has none, as far as is known. */
  readonly id: string | null;
  /** The id that it may have, if its process can't be seen. */
  readonly mayBe?: string;
  /** The process that runs it; null if it is on another host, or can't be seen. */
  readonly process: ProcessIdentity | null;
  /** The name under which its lock, record and notes are kept. */
  readonly key: string;
  readonly control: string | null;
  /** The monitor for clients that only look. */
  readonly watch: string | null;
  /** Its run-time folder; null if we did not start it. */
  readonly folder: string | null;
  /** Why it can neither be asked nor changed, in words that follow its name; null if it can. */
  readonly obstacle: string | null;
  /** Whether its process may be sent a signal: not if it belongs to another user, or is one of two. */
  readonly ours: boolean;
  /** If it was addressed by its monitor: the path of its config, by its mark. */
  readonly config?: string;
  /** If it was addressed by its monitor: the user whose it is, and who has its lock; null if that can't be seen. */
  readonly owner?: number | null;
}

/**
 * One run of the QEMU that runs a domain: the process that was found, and what it answered when it was first asked. A socket path, a pid
 * and a name only say where a machine was; an identity says which one it is. All code that changes a machine, sends it a signal, reports
 * its numbers or calls it running uses one of these. See SCOPES.md.
 */
export class Identity {
  readonly known: Known;
  #word: Word | undefined;

  constructor(known: Known) {
    this.known = known;
  }

  get process(): ProcessIdentity | null {
    return this.known.process;
  }

  get pid(): number | null {
    return this.known.process?.pid ?? null;
  }

  /** The id of its mark, which may be known only since QMP was asked. */
  get id(): string | null {
    return this.known.id ?? this.#word?.mark ?? null;
  }

  /**
   * Makes sure that the QEMU at the other end of a session is this one. Call it on every new session, before anything else is asked.
   *
   * @throws StrangerError when it is another one; what the session throws
   */
  async check(session: Session): Promise<void> {
    const word = await wordOf(session);
    const why = (await this.#unlike(word)) ?? this.#changed(word);
    if (why !== null) throw new StrangerError(`${this.known.domain}: ${why}`);
    this.#word ??= word;
  }

  /** Why this can't be it, by what was found on this host; null if it can. */
  async #unlike(word: Word): Promise<string | null> {
    const { id, mayBe, name, process, control } = this.known;
    const at = `the QEMU that answers at ${control}`;
    if (id !== null) return word.mark === id ? null : `${at} is not this machine, but ${describe(word)}`;
    if (word.mark !== null && word.mark === mayBe) return null;
    if (word.mark !== null && name !== null) return `${at} is ${describe(word)}; address it by its own name`;
    if (process !== null && (await belongsTo(word.threads, process.pid))) return null;
    if (name !== null && word.name !== name) return `${at} is ${describe(word)}; to make it a domain of its own: ${adopting(process)}`;
    return null;
  }

  /** Why this can't be the QEMU that answered before; null if it can. */
  #changed(word: Word): string | null {
    const before = this.#word;
    return before === undefined || isSameRun(word, before) ? null : anotherAt(this.known.control ?? "its monitor");
  }

  /** Whether its process still runs; true if that can't be seen. */
  async isThere(): Promise<boolean> {
    const { process } = this.known;
    return process === null || isStillThere(process);
  }

  /**
   * Sends a signal to its process, if that is still the same.
   *
   * @throws StrangerError when it is not ours to end; HostError when the signal can't be sent
   */
  async signal(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { process, ours, domain, obstacle } = this.known;
    if (process === null || !ours) throw new StrangerError(`${domain}: ${obstacle ?? "its process is not known on this host"}`);
    await sendSignal(process, signal);
  }

  /**
   * Waits until its process has ended. It is no child of ours, so the kernel does not tell. `onLook` is called after each look that finds
   * it still there.
   *
   * @returns true if it ended by the deadline, or is not known on this host
   * @throws the signal's reason
   */
  async hasEnded({ by, signal, onLook }: Until & { readonly onLook?: (() => void) | undefined }): Promise<boolean> {
    const look = async (): Promise<boolean> => !(await this.isThere());
    if (this.known.process === null) return true;
    const { done } = await pollUntil(
      { look, done: (ended) => ended, onLook: (ended) => (ended ? undefined : onLook?.()), pauses: ENDING },
      { by, signal },
    );
    return done;
  }
}

/** Whether two answers are of one run of one QEMU. */
function isSameRun(one: Word, other: Word): boolean {
  return one.mark === other.mark && one.name === other.name && one.uuid === other.uuid && one.thread === other.thread;
}

function anotherAt(monitor: string): string {
  return `another QEMU answers at ${monitor} than before: the one that we worked with is gone`;
}

/**
 * Makes sure that a connection leads to the QEMU that answered so before, on another connection.
 *
 * @throws StrangerError when it is another one; what the session throws
 */
export async function mustBeSameRun(domain: string, session: Pick<Session, "execute">, before: Word, monitor: string): Promise<void> {
  if (!isSameRun(await wordOf(session), before)) throw new StrangerError(`${domain}: ${anotherAt(monitor)}`);
}

/** Asks a QEMU who it is. */
export async function wordOf(session: Pick<Session, "execute">): Promise<Word> {
  const [objects, name, uuid, cpus] = await Promise.all([
    orNothing(session.execute("qom-list", { path: "/objects" })),
    orNothing(session.execute("query-name")),
    orNothing(session.execute("query-uuid")),
    orNothing(session.execute("query-cpus-fast")),
  ]);
  const mark = objects?.map((object) => idOfObject(object.name)).find((id) => id !== undefined) ?? null;
  const threads = (cpus ?? []).map((cpu) => cpu["thread-id"]);
  return {
    mark,
    name: name?.name ?? null,
    uuid: uuid?.UUID ?? "",
    thread: cpus?.find((cpu) => cpu["cpu-index"] === 0)?.["thread-id"] ?? null,
    threads,
  };
}

/** The answer, or undefined if this QEMU can't give it. A program of somebody's own at the other end may answer anything. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof CommandError || isErrorCode(error, "protocol")) return undefined;
    throw error;
  });
}

/**
 * Whether the threads are those of the process. Without threads nothing can be said. In another pid namespace the numbers belong to nobody
 * here, or to another process.
 */
async function belongsTo(threads: readonly number[], pid: number): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  const owners = await Promise.all(threads.map(processOf));
  return owners.length > 0 && owners.every((owner) => owner === pid);
}

function describe({ name, mark }: Word): string {
  const called = name === null ? "one without a name" : JSON.stringify(name);
  return mark === null ? called : `${called} (marked ${MARK_PREFIX}${mark})`;
}

/** The command that makes a QEMU without a config a domain. */
export function adopting(process: ProcessIdentity | null): string {
  return `qmpctl define --pid ${process?.pid ?? "PID"} --name NAME`;
}
