import { chmod, rename, rm } from "node:fs/promises";
import { connect as dial, createServer, type Server, type Socket } from "node:net";

/** A message on its way: who sent it, and what it says. */
export interface Passing {
  readonly from: "client" | "qemu";
  /** The command's name, or of the command that a reply answers; empty for greetings and events. */
  readonly command: string;
  /** The how manieth of that sender and name, over all connections since the proxy was armed: 1 is the first. */
  readonly nth: number;
  readonly text: string;
}

/** What becomes of a message: passed on as it is, or as these lines; `drop`: never; `break`: the connection ends. */
export type Verdict = undefined | "drop" | "break" | { readonly lines: readonly string[] };

/** Called for each message, in order; what it returns is waited for, with everything behind it. */
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

  /** Takes the place of the socket at this path, which goes on as `PATH.real`. */
  static async before(path: string): Promise<Proxy> {
    const proxy = new Proxy(path);
    await rename(path, `${path}.real`);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    await chmod(path, 0o700);
    return proxy;
  }

  /** Shows each message to the watcher from now on, and each client before it is let through. */
  arm(watcher: Watcher | undefined, onClient?: () => unknown): void {
    this.#counts.clear();
    this.#watcher = watcher;
    this.#onClient = onClient;
  }

  /** Breaks what is connected. */
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
    source.setEncoding("utf8").on("data", (chunk: string) => {
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
    for (const line of verdict?.lines ?? [text]) sink.write(`${line}\n`);
  }

  #nameOf(from: Passing["from"], text: string, asked: Map<string, string>): string {
    // The last one: a device's own id comes before it.
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
