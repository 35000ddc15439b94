/// <reference lib="esnext.disposable" preserve="true" />
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dialPlace, listenAt, parsePlace, type Place } from "../server/listening.ts";
import type { Transcript } from "../transcript/transcript.ts";
import { Recording, type Tap } from "./recording.ts";

/** A monitor to record. Clients connect to `listen` (a socket in a private folder unless told); `upstream` is QEMU's own. */
export interface RecordedMonitor {
  readonly name: string;
  readonly upstream: string;
  readonly listen?: string | undefined;
}

/** What to record, and where. */
export interface RecorderOptions {
  /** All monitors of one QEMU. */
  readonly monitors: readonly RecordedMonitor[];
  /** The file that `finish()` writes; without one nothing is written. */
  readonly write?: string | undefined;
  /** The `# key: value` lines at the top: `qemu`, `arch`, `command`, `recorded`. */
  readonly provenance?: Readonly<Record<string, string>> | undefined;
  /** What QEMU wrote on stderr while it started. */
  readonly stderr?: string | undefined;
  /** Private texts in messages, as folders, and what to write instead. */
  readonly replace?: readonly (readonly [string, string])[] | undefined;
  /** Whether to keep the clients' own ids. Unless told they are numbered from 1, so that two recordings can be compared. */
  readonly keepIds?: boolean | undefined;
  /**
   * Whether a client that ends its half of a connection still wants its replies. Unless told it counts as having left, and QEMU is told so:
   * a proxy can't tell the two apart.
   */
  readonly halfClose?: boolean | undefined;
}

/** A proxy between clients and a QEMU, which writes down what they say. */
export interface Recorder extends AsyncDisposable {
  /** The first monitor's address, for clients. */
  readonly address: string;
  readonly addresses: Readonly<Record<string, string>>;
  /**
   * Stops, writes the file and returns what was recorded. `exit` says how QEMU ended. Without it the transcript says that only the
   * recording ended, unless QEMU closed the connections itself.
   *
   * @throws TranscriptError when what was recorded can't be read again
   */
  finish(exit?: { readonly status?: string | undefined; readonly stderr?: string | undefined }): Promise<Transcript>;
}

/**
 * Starts to record; resolves when it listens. Any number of clients may come, one after another or at once, and QEMU treats them as usual.
 *
 * @throws UsageError when an address can't be read; the system's error when it can't be listened on
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

/** One monitor. Every client gets a connection of its own to QEMU, and bytes are passed on as they come. */
class Post {
  readonly name: string;
  readonly #upstream: Place;
  readonly #recording: Recording;
  readonly #halfClose: boolean;
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly client: Socket; readonly qemu: Socket; readonly over: Promise<void> }>();
  address = "";
  /** Whether QEMU closed a connection that its client had not. */
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

  /** `ended`: QEMU has ended, and its last output is waited for. Otherwise connections are cut. */
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
    // A client that waits for its turn at the monitor is not served yet, and nothing is read from it.
    let served = false;
    const left = (): void => {
      if (open) tap.close();
      open = false;
      qemu.end();
      if (!this.#halfClose) client.destroy();
      if (!this.#halfClose) qemu.destroy();
    };
    const hungUp = (): void => {
      // If the client had left before, its end is known at the latest after this turn of the event loop.
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
