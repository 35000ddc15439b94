/// <reference lib="esnext.disposable" />
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * The least that speaks QMP: a socket, a search for the end of the line, JSON.parse. No ids checked, no deadlines, no errors.
 * What the engine is held against.
 */
export class BareLoop implements AsyncDisposable {
  readonly #socket: Socket;
  #text = "";
  #onMessage: (message: any) => void = () => {};

  constructor(path: string) {
    this.#socket = connect({ path });
    this.#socket.setEncoding("utf8").on("data", (text: string) => this.#read(text));
  }

  /** Connects and enters command mode, out-of-band where `oob` says so. */
  static async open(path: string, oob = false): Promise<BareLoop> {
    const loop = new BareLoop(path);
    await once(loop.#socket, "connect");
    const greeted = loop.#next();
    await greeted;
    const ready = loop.#next();
    loop.#socket.write(JSON.stringify({ execute: "qmp_capabilities", ...(oob && { arguments: { enable: ["oob"] } }) }));
    await ready;
    return loop;
  }

  /** Sends a command `count` times with `depth` of them under way; resolves when all are answered. */
  run(command: string, count: number, depth: number): Promise<void> {
    let sent = 0;
    let answered = 0;
    const send = (): void => void (sent < count && this.#socket.write(JSON.stringify({ execute: command, id: ++sent })));
    return new Promise((resolve) => {
      this.#onMessage = (message) => {
        if (message.return === undefined) return;
        send();
        if (++answered === count) resolve();
      };
      for (let under = 0; under < depth; under++) send();
    });
  }

  /** Calls back with every message from now on. */
  listen(onMessage: (message: any) => void): void {
    this.#onMessage = onMessage;
  }

  /** Sends text as it is. */
  write(text: string): void {
    this.#socket.write(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await once(this.#socket, "close");
  }

  #next(): Promise<any> {
    return new Promise((resolve) => (this.#onMessage = resolve));
  }

  #read(text: string): void {
    this.#text += text;
    let start = 0;
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n", start)) {
      const line = this.#text.slice(start, end);
      start = end + 1;
      this.#onMessage(JSON.parse(line));
    }
    this.#text = this.#text.slice(start);
  }
}
