import { chmod, rename, rm } from "node:fs/promises";
import { connect as dial, createServer, type Server, type Socket } from "node:net";

/** A message that passes: its sender and its text. */
export interface Passing {
  readonly from: "client" | "qemu";
  /** The name of the command, or of the command that a reply answers. Empty for greetings and events. */
  readonly command: string;
  /** Its number among messages of this sender and name, over all connections since the proxy was armed. The first is 1. */
  readonly nth: number;
  readonly text: string;
}

/** What happens to a message. `undefined` passes it on, `lines` pass instead of it, `drop` loses it, `break` ends the connection. */
export type Verdict = undefined | "drop" | "break" | { readonly lines: readonly string[] };

/** Called for each message, in order. The message, and all behind it, wait for the result. */
export type Watcher = (passing: Passing) => Verdict | Promise<Verdict>;

/** Stands between all clients and a monitor's socket, message by message. */
export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #path: string;
  readonly #pairs = new Set<Socket>();
  readonly #counts = new Map<string, number>();
  #watcher: Watcher | undefined;
  #onClient: (() => unknown) | undefined;

  private constructor(path: string) {
    this.#path = path;
    this.#server = createServer((client) => void this.#serve(client));
  }

  /** Takes the place of the socket at this path. The real socket moves to `PATH.real`. */
  static async before(path: string): Promise<Proxy> {
    const proxy = new Proxy(path);
    await rename(path, `${path}.real`);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    await chmod(path, 0o700);
    return proxy;
  }

  /** From now on, shows each message to the watcher before it passes, and each new client too. */
  arm(watcher: Watcher | undefined, onClient?: () => unknown): void {
    this.#counts.clear();
    this.#watcher = watcher;
    this.#onClient = onClient;
  }

  /** Breaks all connections. */
  reset(): void {
    for (const socket of this.#pairs) socket.destroy();
  }

  async #serve(client: Socket): Promise<void> {
    this.#pairs.add(client);
    client.on("error", () => {}).on("close", () => this.#pairs.delete(client));
    await this.#onClient?.();
    if (client.destroyed) return;
    const upstream = dial(`${this.#path}.real`);
    const asked = new Map<string, string>();
    upstream.on("error", () => client.destroy());
    this.#relay("client", client, upstream, asked);
    this.#relay("qemu", upstream, client, asked);
  }

  #relay(from: Passing["from"], source: Socket, sink: Socket, asked: Map<string, string>): void {
    let rest = "";
    let turn: Promise<unknown> = Promise.resolve();
    // Byte by byte, as an agent begins its answer with one that is no text.
    source.setEncoding("latin1").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) turn = turn.then(() => this.#pass(from, line, sink, asked));
    });
    source.on("close", () => void turn.then(() => sink.destroy()));
  }

  async #pass(from: Passing["from"], text: string, sink: Socket, asked: Map<string, string>): Promise<void> {
    const command = this.#nameOf(from, text, asked);
    const key = `${from} ${command}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    const verdict = await this.#watcher?.({ from, command, nth, text });
    if (verdict === "drop") return;
    if (verdict === "break") return void (sink.destroy(), this.reset());
    for (const line of verdict?.lines ?? [text]) sink.write(`${line}\n`, "latin1");
  }

  #nameOf(from: Passing["from"], text: string, asked: Map<string, string>): string {
    // The last id in the text is the message's own. A device's id comes before it.
    const id =
      text
        .match(/"id":\s*("[^"]*"|\d+)/g)
        ?.at(-1)
        ?.replace(/\s/g, "") ?? "";
    if (from === "qemu") return /"(return|error)":/.test(text) ? (asked.get(id) ?? "") : "";
    const command = /"execute":\s*"([\w-]+)"/.exec(text)?.[1] ?? "";
    asked.set(id, command);
    return command;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    this.#server.close();
    await rm(this.#path, { force: true });
  }
}
