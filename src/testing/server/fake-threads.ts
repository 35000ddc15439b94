import { writeFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { threadsIn, withThreads } from "../protocol/rendering.ts";

/** A worker that tells its thread id and then waits. It is a text because a file would have to be found from a bundle too. */
const SCRIPT = `
  const { parentPort } = require("node:worker_threads");
  const { readlinkSync } = require("node:fs");
  parentPort.on("message", () => {});
  parentPort.postMessage(Number(readlinkSync("/proc/thread-self").split("/").pop()));
`;

interface FakeThread {
  readonly name: string;
  readonly worker: Worker;
  readonly tid: Promise<number>;
}

/**
 * Real threads in place of the recorded ones, so that taskset has something to work on. A new one inherits the affinity of the main thread,
 * which makes it, as QEMU's vCPU threads do.
 */
export class FakeThreads {
  readonly #threads = new Map<number, FakeThread>();
  readonly #suffix: string;

  /** `accelerator` is the end of a vCPU thread's name: `TCG` or `KVM`. */
  constructor(accelerator: string) {
    this.#suffix = accelerator;
  }

  /**
   * A recorded reply with the ids of real threads, which are made as needed. Threads that a full list of vCPUs no longer names are ended.
   */
  async inReply(command: string, reply: string): Promise<string> {
    const recorded = threadsIn(command, reply);
    if (recorded.size === 0) return reply;
    const real = await this.#realize(recorded);
    if (command === "query-cpus-fast") await this.#retain(recorded);
    return withThreads(reply, real);
  }

  /** The real thread ids by the recorded ones, for those made so far. */
  async known(): Promise<ReadonlyMap<number, number>> {
    return new Map(await Promise.all([...this.#threads].map(async ([tid, thread]) => [tid, await thread.tid] as const)));
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await this.#end([...this.#threads]);
  }

  async #realize(recorded: ReadonlyMap<number, string>): Promise<ReadonlyMap<number, number>> {
    const pairs = [...recorded].map(async ([tid, name]) => [tid, await this.#one(tid, name).tid] as const);
    return new Map(await Promise.all(pairs));
  }

  async #retain(recorded: ReadonlyMap<number, string>): Promise<void> {
    await this.#end([...this.#threads].filter(([tid, thread]) => thread.name.startsWith("CPU ") && !recorded.has(tid)));
  }

  async #end(threads: readonly (readonly [number, FakeThread])[]): Promise<void> {
    for (const [tid] of threads) this.#threads.delete(tid);
    await Promise.all(threads.map(([, thread]) => thread.worker.terminate()));
  }

  #one(recorded: number, name: string): FakeThread {
    const known = this.#threads.get(recorded);
    if (known !== undefined) return known;
    const worker = new Worker(SCRIPT, { eval: true, stdin: false, execArgv: [], env: {} });
    worker.unref();
    const thread = { name, worker, tid: this.#named(worker, name) };
    this.#threads.set(recorded, thread);
    return thread;
  }

  async #named(worker: Worker, name: string): Promise<number> {
    const tid = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    const full = name.startsWith("CPU ") ? `${name}/${this.#suffix}` : name;
    await writeFile(`/proc/self/task/${tid}/comm`, full.slice(0, 15));
    return tid;
  }
}
