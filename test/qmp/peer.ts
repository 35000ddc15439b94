/// <reference lib="esnext.disposable" />
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open, type Session } from "../../src/qmp/session.ts";
import { Framer } from "../../src/wire/framing.ts";
import { Inbox } from "../../src/wire/inbox.ts";
import type { Message, Transport } from "../../src/wire/transport.ts";

export const GREETING: Message = { QMP: { version: { qemu: { micro: 22, minor: 2, major: 7 }, package: "" }, capabilities: ["oob"] } };

/** A request as it stood on the wire. */
export interface Request {
  readonly execute?: string;
  readonly "exec-oob"?: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly id: unknown;
}

/** The other end of a conversation within the test. */
export interface Peer {
  readonly transport: Transport;
  /** All that was sent, as it was sent, a line each. */
  readonly lines: string[];
  /** What was sent after negotiation. */
  readonly requests: Request[];
  /** Resolves when so many requests have come after negotiation. */
  heard(count: number): Promise<readonly Request[]>;
  say(...messages: readonly object[]): void;
  /** Ends the conversation, with an error as when a connection breaks. */
  end(cause?: Error): void;
}

/** A peer that greets, grants the capabilities, and leaves the rest to the test. */
export function peer(options: { readonly greeting?: Message | null; readonly negotiate?: boolean } = {}): Peer {
  const inbox = new Inbox();
  const lines: string[] = [];
  const requests: Request[] = [];
  const waiting = new Set<() => void>();
  const say = (...messages: readonly object[]): void => inbox.push(messages as readonly Message[]);
  const hear = (line: string): void => {
    lines.push(line);
    const request = JSON.parse(line) as Request;
    if (request.execute !== "qmp_capabilities") requests.push(request);
    else if (options.negotiate !== false) say({ return: {}, id: request.id });
    for (const look of waiting) look();
  };
  if (options.greeting !== null) say(options.greeting ?? GREETING);
  return {
    lines,
    requests,
    say,
    end: (cause) => inbox.end(cause),
    heard: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (requests.length < count) return;
          waiting.delete(look);
          resolve(requests);
        };
        waiting.add(look);
        look();
      }),
    transport: {
      peer: "fake",
      send: (text) => String(text).split("\n").slice(0, -1).forEach(hear),
      close: async () => inbox.end(),
      [Symbol.asyncIterator]: () => inbox,
    },
  };
}

/** A session with a peer of its own. */
export async function conversation(options: Parameters<typeof peer>[0] = {}): Promise<Peer & { readonly session: Session }> {
  const other = peer(options);
  return { ...other, session: await open(other.transport) };
}

/** A server on a socket of its own; `serve` is called for each client. */
export interface Listening extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
}

export async function listening(serve: (client: Socket) => void, on: "unix" | "tcp" = "unix"): Promise<Listening> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("error", () => {});
    serve(client);
  });
  server.listen(on === "unix" ? join(folder, "s") : { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const at = server.address();
  return {
    server,
    address: typeof at === "string" ? `unix:${at}` : `tcp:127.0.0.1:${at?.port}`,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server that greets and negotiates; then `hear` gets each request and the way to answer. */
export function monitor(hear: (request: Request, client: Socket) => void, on: "unix" | "tcp" = "unix"): Promise<Listening> {
  return listening((client) => {
    const framer = new Framer("client");
    client.write(`${JSON.stringify(GREETING)}\r\n`);
    client.on("data", (chunk) => {
      for (const message of framer.read(chunk).messages) {
        const request = message as unknown as Request;
        if (request.execute === "qmp_capabilities") client.write(`${JSON.stringify({ return: {}, id: request.id })}\r\n`);
        else hear(request, client);
      }
    });
  }, on);
}

/** What a promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  const settled = await promise.then(
    (value) => ({ value }),
    (cause: unknown) => ({ cause }),
  );
  if ("cause" in settled) return settled.cause;
  throw new Error(`it did not reject, it gave ${JSON.stringify(settled.value)}`);
}
