import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { parseAddress } from "../../src/wire/address.ts";

/** A client that sends text and collects lines, and knows nothing of QMP, so that our own engine does not test the server. */
export interface WireClient extends AsyncDisposable {
  readonly socket: Socket;
  /** What has come and is not read yet. */
  received(): string;
  send(text: string): void;
  /** The next whole line, without its CRLF. Rejects if the connection ends first. */
  line(): Promise<string>;
  /** The next line as a value. */
  message(): Promise<Record<string, unknown>>;
  /** Sends a command and resolves with the next reply. Collects the events before it. */
  ask(command: string, args?: object): Promise<Record<string, unknown>>;
  readonly events: Record<string, unknown>[];
  /** Greeting and qmp_capabilities. */
  negotiate(enable?: readonly string[]): Promise<void>;
  /** Resolves when the server has ended or broken the connection. */
  readonly ended: Promise<void>;
}

export async function wireClient(address: string): Promise<WireClient> {
  const place = parseAddress(address);
  const socket = place.kind === "unix" ? createConnection(place.path) : createConnection(place.port, place.host);
  await once(socket, "connect");
  return new Client(socket);
}

class Client implements WireClient {
  readonly socket: Socket;
  readonly events: Record<string, unknown>[] = [];
  readonly ended: Promise<void>;
  #received = "";
  #closed = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.#received += bytes.toString("latin1");
      this.#wake();
    });
    socket.on("error", () => {});
    this.ended = new Promise((resolve) => {
      for (const way of ["end", "close"]) {
        socket.once(way, () => {
          this.#closed = true;
          this.#wake();
          resolve();
        });
      }
    });
  }

  received(): string {
    return this.#received;
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      if (this.#closed) throw new Error(`ended with ${JSON.stringify(this.#received)} unread`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async message(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.line()) as Record<string, unknown>;
  }

  async ask(command: string, args?: object): Promise<Record<string, unknown>> {
    this.send(JSON.stringify({ execute: command, arguments: args }));
    for (;;) {
      const message = await this.message();
      if ("return" in message || "error" in message) return message;
      this.events.push(message);
    }
  }

  async negotiate(enable?: readonly string[]): Promise<void> {
    await this.message();
    await this.ask("qmp_capabilities", enable === undefined ? undefined : { enable });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.ended;
  }
}
