/// <reference lib="esnext.disposable" />
import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** A call of the file system that a far end is about to make, or has made. */
export interface DiskCall {
  readonly when: "before" | "after";
  readonly call: "open" | "rename" | "rm";
  readonly path: string;
}

/** Between the far ends of the hosts and their file systems: each writing call waits for an answer, before it and after it. */
export class FarGate implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  #watcher: ((call: DiskCall) => Promise<void> | void) | undefined;

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => {
      socket.on("error", () => {});
      let line = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        line += text;
        if (line.endsWith("\n")) void this.#answer(JSON.parse(line) as DiskCall).then(() => socket.end());
      });
    });
  }

  /** Listens at this path. */
  static async open(path: string): Promise<FarGate> {
    const gate = new FarGate(path);
    await once(gate.#server.listen(path), "listening");
    return gate;
  }

  /** From now on shows each call to the watcher; it waits for the result. */
  arm(watcher: ((call: DiskCall) => Promise<void> | void) | undefined): void {
    this.#watcher = watcher;
  }

  async #answer(call: DiskCall): Promise<void> {
    await this.#watcher?.(call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}
