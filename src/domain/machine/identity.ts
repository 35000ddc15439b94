import { idOfObject, MARK_PREFIX } from "../../config/mark.ts";
import { isErrorCode, QmpctlError } from "../../errors.ts";
import { isStillThere, type ProcessIdentity, sendSignal } from "../../host/signal.ts";
import { isAlive, processOf } from "../../host/threads.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { pollUntil, type Until } from "./poll-until.ts";

/**
 * The QEMU that answers is not the domain's, or the domain's can't be told for sure. Nothing was touched. The message says whose it is, and
 * how to adopt it.
 */
export class StrangerError extends QmpctlError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("refused", message, options);
  }
}

/** How long to pause between looks for the end of a process, in milliseconds. */
const ENDING: readonly number[] = [5, 8, 12, 18, 25, 40, 60, 100];

/** What a QEMU says of itself over QMP: enough to tell it from others, and one life of it from the next. */
interface Word {
  /** The machine's id, from its mark; null where it carries none. */
  readonly mark: string | null;
  readonly name: string | null;
  readonly uuid: string;
  /** The thread of its first vCPU: that one is never unplugged. Null without vCPUs. */
  readonly thread: number | null;
  readonly threads: readonly number[];
}

/** What is known of a QEMU when it is found. */
export interface Known {
  /** The domain that it is taken for: its name, or the address that it was asked for by. */
  readonly domain: string;
  /** What QEMU has to call itself, where that is all there is to know it by; null where it is known otherwise, or may be anybody. */
  readonly name: string | null;
  /** The id of its mark; null where it carries none, as far as is known. */
  readonly id: string | null;
  /** The id that it may turn out to have, where its process can't be seen. */
  readonly mayBe?: string;
  /** The process that runs it; null where it is not on this host, or can't be seen. */
  readonly process: ProcessIdentity | null;
  /** Names its lock, record and notes. */
  readonly key: string;
  readonly control: string | null;
  /** The monitor for those who only watch. */
  readonly watch: string | null;
  /** Its run-time folder, where it was started by us. */
  readonly folder: string | null;
  /** Why it can neither be asked nor changed, in words that can stand behind its name; null where it can. */
  readonly obstacle: string | null;
  /** Whether a signal may be sent to its process; not where it is somebody else's, or one of two. */
  readonly ours: boolean;
}

/**
 * The QEMU that runs a domain, in one of its lives: the process that was seen, and what it answered the first time it was asked. A socket
 * path, a pid and a
 * name are only places where a machine was; what has an identity in hand is sure of it. Whatever changes a machine, sends a signal
 * to it, writes its numbers down or calls it running goes through one of these. See SCOPES.md, "Whose machine it is".
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

  /** The id that its mark has, also where only QMP could tell. */
  get id(): string | null {
    return this.known.id ?? this.#word?.mark ?? null;
  }

  /**
   * Makes sure that the QEMU at the other end of a session is this one. To be called on every new session, before anything else is asked.
   *
   * @throws StrangerError when it is another; what the session throws
   */
  async check(session: Session): Promise<void> {
    const word = await wordOf(session);
    const why = (await this.#unlike(word)) ?? this.#changed(word);
    if (why !== null) throw new StrangerError(`${this.known.domain}: ${why}`);
    this.#word ??= word;
  }

  /** Why this can't be it by what was found on this host; null when it can. */
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

  /** Why this can't be the one that answered before; null when it can. */
  #changed(word: Word): string | null {
    const before = this.#word;
    if (before === undefined) return null;
    const same = word.mark === before.mark && word.name === before.name && word.uuid === before.uuid && word.thread === before.thread;
    return same ? null : `another QEMU answers at ${this.known.control} than before: the one that was being worked on is gone`;
  }

  /** Whether its process still runs; true where that can't be seen. */
  async isThere(): Promise<boolean> {
    const { process } = this.known;
    return process === null || isStillThere(process);
  }

  /** Sends a signal to its process, if that still is the one. @throws StrangerError where it is not ours to end; HostError */
  async signal(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { process, ours, domain, obstacle } = this.known;
    if (process === null || !ours) throw new StrangerError(`${domain}: ${obstacle ?? "its process is not known on this host"}`);
    await sendSignal(process, signal);
  }

  /**
   * Waits until its process has ended, which is no child of ours: the kernel tells us nothing. True if it has by the deadline, or if it is
   * not known on this host. `onLook` is called each time that it still runs.
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

async function wordOf(session: Session): Promise<Word> {
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

/** What can't be told is told of none that has to be known by it. Somebody's own program at the other end may answer anything. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof CommandError || isErrorCode(error, "protocol")) return undefined;
    throw error;
  });
}

/**
 * Whether the threads are those of the process. Without threads nothing can be said; in another pid namespace the numbers mean nobody here,
 * or somebody else.
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

/** How to make a QEMU that is nobody's a domain. */
export function adopting(process: ProcessIdentity | null): string {
  return `qmpctl define --pid ${process?.pid ?? "PID"} --name NAME`;
}
