import type { Input } from "../json/json-input.ts";
import type { Client } from "./client.ts";
import type { FakeMonitor } from "./fake-monitor.ts";

/** Milliseconds after which one who ended his half of the connection, and waits for a reply, is taken to have left. */
const DESERTED = 100;

/** What a client said, and where. */
export interface Turn {
  readonly input: Input;
  readonly client: Client;
  readonly monitor: FakeMonitor;
}

/** QEMU's one dispatcher for all monitors: one request after the other, whoever asked. What is out of band does not wait for it. */
export class Dispatcher {
  readonly #answer: (turn: Turn) => Promise<void>;
  readonly #turns: Turn[] = [];
  #running = false;
  #stopped = false;

  /** `answer` carries one request out; the next waits for it. */
  constructor(answer: (turn: Turn) => Promise<void>) {
    this.#answer = answer;
  }

  /** Takes a request that was read: one that is in its client's queue in turn, any other at once. */
  hear(turn: Turn): void {
    if (turn.client.queue.includes(turn.input)) {
      this.#turns.push(turn);
      void this.#run();
    } else void this.#overtake(turn);
  }

  /** A client that will say no more gets all its replies, then the end. */
  farewell(client: Client): void {
    if (!client.left) return;
    if (!client.executing && client.queue.length === 0) return client.writer.end();
    // From here one who has ended his half looks like one who has left altogether. Who waits this long has left: others get his place.
    setTimeout(() => client.socket.destroy(), DESERTED).unref();
  }

  /** Nothing more is carried out. */
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

  /** What is out of band is carried out as it is read: nothing after it is read before it is answered. */
  async #overtake(turn: Turn): Promise<void> {
    turn.client.overtaking = true;
    await this.#answer(turn);
    turn.client.overtaking = false;
    turn.client.proceed();
  }
}
