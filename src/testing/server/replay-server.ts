/// <reference lib="esnext.disposable" preserve="true" />
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromPlain } from "../json/json-value.ts";
import { eventNow } from "../protocol/event.ts";
import { majorOf } from "../protocol/greeting.ts";
import { type Mismatch, MismatchError } from "../protocol/mismatch.ts";
import { isRelease, schemaFor } from "../protocol/recorded-schema.ts";
import type { Said } from "../protocol/request.ts";
import { EventThrottle } from "../protocol/throttle.ts";
import { type SchemaEntry, Vocabulary } from "../protocol/vocabulary.ts";
import { timelineOf } from "../transcript/timeline.ts";
import { parseTranscript, placeOf, readTranscript, type Transcript } from "../transcript/transcript.ts";
import { parsePlace } from "./listening.ts";
import { IDLE, Stage } from "./stage.ts";

/** Bad weather on every connection. A transcript's directives can do the same at one point of it. */
export interface Weather {
  /** Bytes a write: 1 is bytewise. */
  readonly chunk?: number | undefined;
  /** CR and LF in two writes. */
  readonly splitLineEnd?: boolean | undefined;
  /** Messages over many lines, as `pretty=on` writes them. */
  readonly pretty?: boolean | undefined;
  /** Milliseconds before each message. */
  readonly delay?: number | undefined;
  /** No greeting at all, or after so many milliseconds. */
  readonly greeting?: "never" | number | undefined;
  /** Bytes before the greeting, one a character: an event, garbage. */
  readonly before?: string | undefined;
  /** Bytes a millisecond that the server reads. */
  readonly readRate?: number | undefined;
  /** Bytes a millisecond that it writes. */
  readonly writeRate?: number | undefined;
  /** The server reads nothing. */
  readonly deaf?: boolean | undefined;
}

/** Where one monitor is to listen: `unix:/path`, `tcp:127.0.0.1:0`; without an address in a private folder. */
export interface MonitorPlace {
  readonly name: string;
  readonly address?: string | undefined;
}

/** What to replay, where, and how. */
export interface ReplayOptions {
  /** A transcript, or its file's path. Without one the server greets and negotiates, and every command is a mismatch. */
  readonly transcript?: Transcript | string | undefined;
  /** Default: `control` and `watch`, as a QEMU that qmpctl starts has them. */
  readonly monitors?: readonly MonitorPlace[] | undefined;
  readonly weather?: Weather | undefined;
  /** Whether out-of-band is offered; default: as recorded. */
  readonly oob?: boolean | undefined;
  /** When nobody asked for so many milliseconds, the scene's next recorded event comes. Default 250. */
  readonly idle?: number | undefined;
  /**
   * What QEMU understands: a release that comes with this package (`"7.2"`), or a reply to query-qmp-schema, or its file's path; false for
   * none. What
   * the transcript does not have is refused in QEMU's own words where QEMU would refuse it (an unknown command, arguments that are missing
   * or
   * wrong), and is no mismatch. Default: the release that the transcript names, where it is one of those.
   */
  readonly schema?: string | readonly SchemaEntry[] | false | undefined;
  /**
   * Commands that code answers instead of the recording: gets the arguments, gives the return value, throws QmpFailure for an error.
   * Without a recording `quit` is answered as QEMU does.
   */
  readonly answers?: Readonly<Record<string, (args: unknown) => unknown>> | undefined;
}

/** A QEMU that is none: real sockets, QMP's rules, recorded answers. */
export interface ReplayServer extends AsyncDisposable {
  /** The first monitor's address, to connect to. */
  readonly address: string;
  /** Each monitor's address by its name. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Where clients left the recording, so far. */
  readonly mismatches: readonly Mismatch[];
  /** What clients asked, so far, except qmp_capabilities. */
  readonly said: readonly Said[];
  /** Resolved with the recorded status when QEMU has ended. */
  readonly exited: Promise<string>;
  /**
   * Tells all clients of an event that no recording has; the time stamp is now. Those that QEMU limits to one a second are limited, on a
   * clock that stands still.
   */
  emit(event: string, data?: Readonly<Record<string, unknown>>): void;
  /** Moves that clock on: events that were kept back go out when their second is over. */
  advance(milliseconds: number): void;
  /** Writes bytes (one a character) to all clients, whatever they are. */
  send(bytes: string): void;
  /** Breaks all connections; QEMU lives on. */
  reset(): void;
  /** Says nothing more on the connections there are. */
  silence(): void;
  /** QEMU dies now. */
  exit(): Promise<void>;
  /** Recorded thread id to the real one that stands for it, for those that were asked for. */
  threads(): Promise<ReadonlyMap<number, number>>;
  /** Throws MismatchError if anybody left the recording; with `finished`, also if a recorded changing command was never asked. */
  verify(options?: { readonly finished?: boolean | undefined }): void;
  /** Ends everything, then rejects as `verify()` throws, unless that has been told already. Idempotent. */
  close(): Promise<void>;
}

/** Starts a replay; resolves when all monitors listen. Throws TranscriptError for a damaged one, UsageError for an address that is none. */
export async function startReplay(options: ReplayOptions = {}): Promise<ReplayServer> {
  const transcript =
    typeof options.transcript === "string" ? await readTranscript(options.transcript) : (options.transcript ?? nothing(options.schema));
  const places = options.monitors ?? [{ name: "control" }, { name: "watch" }];
  const timeline = timelineOf(transcript);
  const own = options.transcript === undefined ? { quit: () => stage.quit() } : {};
  const stage: Stage = new Stage({
    timeline,
    monitors: places.map((it) => it.name),
    weather: options.weather ?? {},
    oob: options.oob,
    idle: options.idle ?? IDLE,
    // Looked at with each command: a test may change its answers as it goes.
    get answers() {
      return { ...own, ...options.answers };
    },
    vocabulary: new Vocabulary(await schemaFor(options.schema, transcript.provenance), majorOf(timeline)),
  });
  const folder = places.some((it) => it.address === undefined) ? await mkdtemp(join(tmpdir(), "qmp-")) : undefined;
  const replay = new Replay(stage, transcript, folder);
  try {
    const addresses = places.map((it) => parsePlace(it.address ?? `unix:${join(folder ?? "", `${it.name}.sock`)}`));
    await Promise.all(addresses.map((address, index) => stage.monitors[index]?.listen(address)));
    return replay;
  } catch (error) {
    await replay.close();
    throw error;
  }
}

/** A recording of nothing, by the release whose schema is wanted. */
function nothing(schema: ReplayOptions["schema"]): Transcript {
  return parseTranscript(`${isRelease(schema) ? `# qemu: ${schema}.0\n` : ""}#! end\n`, "nothing");
}

class Replay implements ReplayServer {
  readonly #stage: Stage;
  readonly #transcript: Transcript;
  readonly #folder: string | undefined;
  readonly #throttle = new EventThrottle();
  #told = 0;

  constructor(stage: Stage, transcript: Transcript, folder: string | undefined) {
    this.#stage = stage;
    this.#transcript = transcript;
    this.#folder = folder;
  }

  get address(): string {
    return this.#stage.monitors[0]?.address ?? "";
  }

  get addresses(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#stage.monitors.map((it) => [it.name, it.address]));
  }

  get mismatches(): readonly Mismatch[] {
    return this.#stage.mismatches;
  }

  get said(): readonly Said[] {
    return this.#stage.said;
  }

  get exited(): Promise<string> {
    return this.#stage.exited;
  }

  emit(event: string, data?: Readonly<Record<string, unknown>>): void {
    for (const message of this.#throttle.take(event, fromPlain(data ?? {}), eventNow(event, data))) this.#stage.broadcast(message);
  }

  advance(milliseconds: number): void {
    for (const message of this.#throttle.advance(milliseconds)) this.#stage.broadcast(message);
  }

  send(bytes: string): void {
    for (const client of this.#stage.clients) client.writer.raw(bytes);
  }

  reset(): void {
    for (const client of this.#stage.clients) client.writer.reset();
  }

  silence(): void {
    for (const client of this.#stage.clients) client.writer.mute();
  }

  async exit(): Promise<void> {
    await this.#stage.exit("", true);
  }

  threads(): Promise<ReadonlyMap<number, number>> {
    return this.#stage.threads.known();
  }

  verify(options: { readonly finished?: boolean | undefined } = {}): void {
    const unplayed = options.finished === true ? this.#stage.playhead.unplayed : undefined;
    const missing =
      unplayed === undefined ? [] : [{ message: unfinished(this.#transcript, unplayed), line: unplayed.line, command: unplayed.command }];
    const found = [...this.#stage.mismatches.slice(this.#told), ...missing];
    this.#told = this.#stage.mismatches.length;
    if (found.length > 0) throw new MismatchError(found);
  }

  async close(): Promise<void> {
    await this.#stage.exit("", true);
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.verify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function unfinished(transcript: Transcript, next: { readonly line: number; readonly command: string }): string {
  return `transcript not finished (${placeOf(transcript, next.line)}): ${next.command} was never asked`;
}
