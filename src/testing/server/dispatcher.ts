import type { Input } from "../json/json-input.ts";
import type { Client } from "./client.ts";
import type { FakeMonitor } from "./fake-monitor.ts";

/** Milliseconds after which a client that has ended its half of the connection, and waits for a reply, counts as having left. */
const DESERTED = 100;

/** What a client said, and on which monitor. */
export interface Turn {
  readonly input: Input;
  readonly client: Client;
  readonly monitor: FakeMonitor;
}

/**
 * QEMU's one dispatcher for all monitors: it executes one request after another, of any client. Out-of-band requests do not wait for it.
 */
export class Dispatcher {
  readonly #answer: (turn: Turn) => Promise<void>;
  readonly #turns: Turn[] = [];
  #running = false;
  #stopped = false;

  /** `answer` executes one request; the next one waits for it. */
  constructor(answer: (turn: Turn) => Promise<void>) {
    this.#answer = answer;
  }

  /** Takes a request that was read. One in its client's queue waits for its turn, any other is executed at once. */
  hear(turn: Turn): void {
    if (turn.client.queue.includes(turn.input)) {
      this.#turns.push(turn);
      void this.#run();
    } else void this.#overtake(turn);
  }

  /** A client that will send no more gets all its replies, and then the end of the connection. */
  farewell(client: Client): void {
    if (!client.left) return;
    if (!client.executing && client.queue.length === 0) return client.writer.end();
    // A client that has ended its half looks like one that has left altogether. After this time it has left, and others get its place.
    setTimeout(() => client.socket.destroy(), DESERTED).unref();
  }

  /** Executes nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let turn = this.#turns.shift(); turn !== undefined && !this.#stopped; turn = this.#turns.shift()) {
      const { input, client } = turn;
      if (client.socket.destroyed) continue;
      client.executing = true;
      client.queue.splice(client.queue.indexOf(input), 1);
      if (client.oob) client.proceed();
      await this.#answer(turn);
      client.executing = false;
      client.proceed();
      this.farewell(client);
    }
    this.#running = false;
  }

  /** An out-of-band request is executed when it is read, and nothing after it is read before it is answered. */
  async #overtake(turn: Turn): Promise<void> {
    turn.client.overtaking = true;
    await this.#answer(turn);
    turn.client.overtaking = false;
    turn.client.proceed();
  }
}
