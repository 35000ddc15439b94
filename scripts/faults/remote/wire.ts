/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** What passes between the two ends of a connection. */
export interface Passing {
  /** The number of the connection since the wire was armed; the first is 1. */
  readonly connection: number;
  /**
   * `connect`: ssh is about to be started; `greeting`: of the loader; `program`: it is about to arrive there; `served`: the far end says
   * who it is; `call`, `reply`: of the call named `what`; `other`.
   */
  readonly at: "connect" | "greeting" | "program" | "served" | "call" | "reply" | "other";
  readonly what: string;
  readonly frame: Readonly<Record<string, unknown>>;
}

/** `drop` loses what passes. */
export type Watcher = (passing: Passing) => Promise<"drop" | undefined> | "drop" | undefined;

/** Stands between the command line and the real `ssh`, and sees every line of both ends before the other one does. */
export class Wire implements AsyncDisposable {
  /** For QMPCTL_SSH. */
  readonly ssh: string;
  readonly #real: string;
  readonly #server: Server;
  readonly #open = new Set<Connection>();
  readonly #halves = new Map<number, Socket>();
  #watcher: Watcher | undefined;
  #count = 0;

  private constructor(real: string, folder: string) {
    this.#real = real;
    this.ssh = join(folder, "relay");
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Before the program `real`, in a folder of its own. */
  static async before(real: string, folder: string): Promise<Wire> {
    const wire = new Wire(real, folder);
    const path = join(folder, "wire.sock");
    await once(wire.#server.listen(path), "listening");
    const program = new URL("relay.mjs", import.meta.url).pathname;
    await writeFile(wire.ssh, `#!/bin/sh\nexec ${process.execPath} ${program} ${path} "$@"\n`);
    await chmod(wire.ssh, 0o755);
    return wire;
  }

  /** From now on shows everything to the watcher before it passes. */
  arm(watcher: Watcher | undefined): void {
    this.#watcher = watcher;
    this.#count = 0;
  }

  /** Kills the ssh of every connection, or keeps it from being started. */
  kill(): void {
    for (const connection of this.#open) connection.kill();
  }

  /** Each run of the relay has two sockets: for what is said, and for stderr and how it ended. */
  #accept(socket: Socket): void {
    socket.on("error", () => {});
    let held: Buffer = Buffer.alloc(0);
    const head = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      const end = held.indexOf(10);
      if (end < 0) return;
      socket.off("data", head).pause();
      const { pid, argv, errors } = JSON.parse(held.toString("utf8", 0, end)) as { pid: number; argv: string[]; errors?: boolean };
      socket.unshift(held.subarray(end + 1));
      const half = this.#halves.get(pid);
      if (half === undefined) return void this.#halves.set(pid, socket);
      this.#halves.delete(pid);
      const [talk, told] = errors === true ? [half, socket] : [socket, half];
      void this.#serve(argv, { talk, told: told.resume() });
    };
    socket.on("data", head);
  }

  async #serve(argv: readonly string[], ends: Ends): Promise<void> {
    const connection = new Connection(++this.#count, async (passing) => this.#watcher?.(passing), ends);
    this.#open.add(connection);
    await connection.run(this.#real, argv);
    this.#open.delete(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    this.#server.close();
  }
}

/** The relay's two sockets. */
interface Ends {
  readonly talk: Socket;
  readonly told: Socket;
}

/** One run of ssh. */
class Connection {
  readonly #number: number;
  readonly #watch: (passing: Passing) => Promise<"drop" | undefined>;
  readonly #ends: Ends;
  readonly #calls = new Map<number, string>();
  #child: ChildProcess | undefined;
  #isKilled = false;

  constructor(number: number, watch: (passing: Passing) => Promise<"drop" | undefined>, ends: Ends) {
    this.#number = number;
    this.#watch = watch;
    this.#ends = ends;
  }

  kill(): void {
    this.#isKilled = true;
    this.#child?.kill("SIGKILL");
  }

  async run(program: string, argv: readonly string[]): Promise<void> {
    const { talk, told } = this.#ends;
    await this.#pass("connect", "", {});
    if (this.#isKilled) return void (told.end(`\0${JSON.stringify({ signal: "SIGKILL" })}`), talk.end());
    const child = spawn(program, argv, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stderr.on("data", (chunk: Buffer) => void told.write(chunk));
    // The near end is gone for good: its ssh was killed with it, or by it.
    told.once("close", () => child.kill("SIGTERM"));
    const ended = once(child, "close");
    const said = this.#far(child);
    // A near end that is gone resets its sockets.
    void this.#near(child).catch(() => child.stdin.end());
    const [code, signal] = (await ended) as [number | null, string | null];
    await said;
    talk.end();
    told.end(`\0${JSON.stringify(signal === null ? { code } : { signal })}`);
  }

  async #near(child: ChildProcess): Promise<void> {
    let held: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#ends.talk as AsyncIterable<Buffer>) {
      held = Buffer.concat([held, chunk]);
      for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10)) {
        const piece = held.subarray(0, end + 1);
        held = held.subarray(end + 1);
        const frame = JSON.parse(piece.toString()) as Record<string, unknown>;
        const isCall = typeof frame["call"] === "number";
        if (isCall) this.#calls.set(frame["call"] as number, String(frame["what"]));
        const at = isCall ? "call" : "program" in frame ? "program" : "other";
        if ((await this.#pass(at, isCall ? String(frame["what"]) : "", frame)) !== "drop") child.stdin?.write(piece);
      }
    }
    child.stdin?.end();
  }

  async #far(child: ChildProcess): Promise<void> {
    let held: Buffer = Buffer.alloc(0);
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      held = Buffer.concat([held, chunk]);
      for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10)) {
        const piece = held.subarray(0, end + 1);
        held = held.subarray(end + 1);
        const frame = JSON.parse(piece.toString()) as Record<string, unknown>;
        const call = Number(frame["result"] ?? frame["error"] ?? Number.NaN);
        const greeting = frame["qmpctl"] === "loader" ? "greeting" : frame["qmpctl"] === "serve" ? "served" : undefined;
        const at = greeting ?? (Number.isNaN(call) ? "other" : "reply");
        if ((await this.#pass(at, this.#calls.get(call) ?? "", frame)) !== "drop") this.#ends.talk.write(piece);
      }
    }
  }

  #pass(at: Passing["at"], what: string, frame: Passing["frame"]): Promise<"drop" | undefined> {
    return this.#watch({ connection: this.#number, at, what, frame });
  }
}
