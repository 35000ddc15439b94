import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { Modifier } from "../transcript/timeline-entry.ts";
import type { Client } from "./client.ts";
import { listenAt, type Place } from "./listening.ts";

/** One monitor: a listening socket that serves one client at a time. Others can connect, and wait unnoticed until that one leaves. */
export class FakeMonitor {
  readonly name: string;
  readonly #server: Server;
  readonly #parked: Socket[] = [];
  readonly #admit: (socket: Socket, nth: number, monitor: FakeMonitor) => Client;
  #waiters: ((client: Client) => void)[] = [];
  #served = 0;
  #client: Client | undefined;
  #address = "";

  constructor(name: string, admit: (socket: Socket, nth: number, monitor: FakeMonitor) => Client) {
    this.name = name;
    this.#admit = admit;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#arrive(socket));
  }

  /** The client that is being served. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** The address that it listens on; empty before that. */
  get address(): string {
    return this.#address;
  }

  /** Sends one message, as QEMU's text, to the client that is being served. */
  say(text: string, modifiers: readonly Modifier[] = []): void {
    this.#client?.writer.message(text, modifiers);
  }

  /** The next client, after the present one has left. */
  nextClient(): Promise<Client> {
    return new Promise((resolve) => void this.#waiters.push(resolve));
  }

  /**
   * Starts to listen. A socket file that was left behind is replaced, as QEMU does. Port 0 takes any free port.
   *
   * @throws the system's error when it can't listen there
   */
  async listen(place: Place): Promise<void> {
    if (place.kind === "unix") await rm(place.path, { force: true });
    this.#address = await listenAt(this.#server, place);
  }

  /** Stops listening, and ends all connections after everything is written, or at once if `abrupt`. */
  async close(abrupt = false): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#parked.splice(0)) socket.destroy();
    const client = this.#client;
    if (client !== undefined && abrupt) client.socket.destroy();
    else if (client !== undefined) {
      client.writer.end();
      client.socket.once("finish", () => client.socket.destroy());
    }
    await closed;
  }

  #arrive(socket: Socket): void {
    if (this.#client === undefined) return this.#serve(socket);
    this.#parked.push(socket);
    // What a waiting client has sent stays in its socket, and is read when its turn comes.
    socket.on("error", () => {}).once("close", () => this.#forget(socket));
  }

  #forget(socket: Socket): void {
    const place = this.#parked.indexOf(socket);
    if (place >= 0) this.#parked.splice(place, 1);
  }

  #serve(socket: Socket): void {
    const client = this.#admit(socket, this.#served++, this);
    this.#client = client;
    socket.once("close", () => {
      this.#client = undefined;
      const next = this.#parked.shift();
      if (next !== undefined) this.#serve(next);
    });
    for (const waiter of this.#waiters.splice(0)) waiter(client);
  }
}
