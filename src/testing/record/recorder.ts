/// <reference lib="esnext.disposable" preserve="true" />
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dialPlace, listenAt, parsePlace, type Place } from "../server/listening.ts";
import type { Transcript } from "../transcript/transcript.ts";
import { Recording, type Tap } from "./recording.ts";

/** A monitor to listen in on. Clients connect to `listen` (default: a socket in a private folder), QEMU's own is `upstream`. */
export interface RecordedMonitor {
  readonly name: string;
  readonly upstream: string;
  readonly listen?: string | undefined;
}

/** What to record, and where to. */
export interface RecorderOptions {
  /** All monitors of one QEMU. */
  readonly monitors: readonly RecordedMonitor[];
  /** The file that `finish()` writes; nothing is written without one. */
  readonly write?: string | undefined;
  /** The `# key: value` lines at the top: `qemu`, `arch`, `command`, `recorded`. */
  readonly provenance?: Readonly<Record<string, string>> | undefined;
  /** What QEMU wrote on stderr as it started. */
  readonly stderr?: string | undefined;
  /** Texts in messages that are private, and what to write instead: folders, mostly. */
  readonly replace?: readonly (readonly [string, string])[] | undefined;
  /** Keeps the clients' own ids; otherwise they are numbered from 1, so that two recordings can be compared. */
  readonly keepIds?: boolean | undefined;
  /**
   * A client that ends its half of a connection wants the rest of its replies. Otherwise it has left, and QEMU is told so: the two look the
   * same to a proxy.
   */
  readonly halfClose?: boolean | undefined;
}

/** A proxy between clients and a QEMU that writes down what they say. */
export interface Recorder extends AsyncDisposable {
  /** The first monitor's address, for clients. */
  readonly address: string;
  readonly addresses: Readonly<Record<string, string>>;
  /**
   * Stops, writes the file and gives what was recorded. `exit`: how QEMU ended; without it the transcript says that only the recording did,
   * unless QEMU hung up by itself.
   */
  finish(exit?: { readonly status?: string | undefined; readonly stderr?: string | undefined }): Promise<Transcript>;
}

/**
 * Starts to record; resolves when it listens. Any number of clients may come, one after the other or at once: QEMU treats them as it does.
 */
export async function startRecorder(options: RecorderOptions): Promise<Recorder> {
  const recording = new Recording(options.provenance ?? {}, options.replace ?? [], options.keepIds === true);
  if (options.stderr !== undefined && options.stderr !== "") recording.stderr(options.stderr);
  const posts = options.monitors.map((it) => new Post(it.name, parsePlace(it.upstream), recording, options.halfClose === true));
  const folder = options.monitors.some((it) => it.listen === undefined) ? await mkdtemp(join(tmpdir(), "qmp-")) : undefined;
  try {
    const places = options.monitors.map((it) => parsePlace(it.listen ?? `unix:${join(folder ?? "", `${it.name}.sock`)}`));
    await Promise.all(posts.map((post, index) => post.listen(places[index] as Place)));
  } catch (error) {
    await new Proxy(posts, recording, undefined, folder).finish();
    throw error;
  }
  return new Proxy(posts, recording, options.write, folder);
}

class Proxy implements Recorder {
  readonly #posts: readonly Post[];
  readonly #recording: Recording;
  readonly #file: string | undefined;
  readonly #folder: string | undefined;
  #finished: Promise<Transcript> | undefined;

  constructor(posts: readonly Post[], recording: Recording, file: string | undefined, folder: string | undefined) {
    this.#posts = posts;
    this.#recording = recording;
    this.#file = file;
    this.#folder = folder;
  }

  get address(): string {
    return this.#posts[0]?.address ?? "";
  }

  get addresses(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#posts.map((it) => [it.name, it.address]));
  }

  finish(exit?: { readonly status?: string | undefined; readonly stderr?: string | undefined }): Promise<Transcript> {
    this.#finished ??= this.#finish(exit);
    return this.#finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
  }

  async #finish(exit: { readonly status?: string | undefined; readonly stderr?: string | undefined } | undefined): Promise<Transcript> {
    await Promise.all(this.#posts.map((it) => it.close(exit !== undefined)));
    if (exit?.stderr !== undefined && exit.stderr !== "") this.#recording.stderr(exit.stderr);
    if (exit !== undefined || this.#posts.some((it) => it.hungUp)) this.#recording.exit(exit?.status ?? "");
    else this.#recording.end();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    const transcript = this.#recording.transcript(this.#file ?? "recording");
    if (this.#file !== undefined) await writeFile(this.#file, this.#recording.text);
    return transcript;
  }
}

/** One monitor: every client gets a connection of its own to QEMU, and bytes pass as they come. */
class Post {
  readonly name: string;
  readonly #upstream: Place;
  readonly #recording: Recording;
  readonly #halfClose: boolean;
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly client: Socket; readonly qemu: Socket; readonly over: Promise<void> }>();
  address = "";
  /** QEMU closed a connection that its client had not. */
  hungUp = false;

  constructor(name: string, upstream: Place, recording: Recording, halfClose: boolean) {
    this.name = name;
    this.#halfClose = halfClose;
    this.#upstream = upstream;
    this.#recording = recording;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#pair(socket));
  }

  async listen(place: Place): Promise<void> {
    this.address = await listenAt(this.#server, place);
  }

  /** `ended`: QEMU has, and what it said last is waited for; otherwise connections are cut. */
  async close(ended: boolean): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const { client, qemu, over } of [...this.#pairs]) {
      if (!ended) client.destroy();
      if (!ended) qemu.destroy();
      await over;
    }
    await closed;
  }

  #pair(client: Socket): void {
    const tap = this.#recording.connect(this.name);
    const qemu = dialPlace(this.#upstream);
    const over = Promise.all([client, qemu].map((socket) => new Promise((resolve) => socket.once("close", resolve)))).then(() => undefined);
    const pair = { client, qemu, over };
    this.#pairs.add(pair);
    void over.then(() => this.#pairs.delete(pair));
    this.#join(client, qemu, tap);
  }

  #join(client: Socket, qemu: Socket, tap: Tap): void {
    let open = true;
    // One who waits for a place at the monitor is nobody yet, and is not read from.
    let served = false;
    const left = (): void => {
      if (open) tap.close();
      open = false;
      qemu.end();
      if (!this.#halfClose) client.destroy();
      if (!this.#halfClose) qemu.destroy();
    };
    const hungUp = (): void => {
      // A client that had left by then counts as such: its end is known at the latest when this round of events is over.
      setImmediate(() => {
        if (open && served) this.hungUp = true;
        else if (open) tap.close();
        open = false;
        client.end(() => client.destroy());
      });
    };
    client.on("data", (bytes) => {
      tap.client(bytes);
      qemu.write(bytes);
    });
    qemu.on("data", (bytes) => {
      tap.server(bytes);
      if (client.writable) client.write(bytes);
    });
    client
      .on("error", () => {})
      .once("end", left)
      .once("close", left);
    qemu
      .on("error", () => {})
      .once("end", hungUp)
      .once("close", hungUp);
    qemu.once("connect", () => {
      served = true;
      client.resume();
    });
  }
}
