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

/** Faults on every connection. A transcript's directives can cause the same at one point. */
export interface Weather {
  /** Bytes in one write; 1 writes byte by byte. */
  readonly chunk?: number | undefined;
  /** Whether CR and LF come in two writes. */
  readonly splitLineEnd?: boolean | undefined;
  /** Whether messages have many lines, as with `pretty=on`. */
  readonly pretty?: boolean | undefined;
  /** Milliseconds before each message. */
  readonly delay?: number | undefined;
  /** No greeting at all, or one after so many milliseconds. */
  readonly greeting?: "never" | number | undefined;
  /** Bytes before the greeting, one for each character: an event, garbage. */
  readonly before?: string | undefined;
  /** How many bytes a millisecond the server reads. */
  readonly readRate?: number | undefined;
  /** How many bytes a millisecond it writes. */
  readonly writeRate?: number | undefined;
  /** Whether the server reads nothing. */
  readonly deaf?: boolean | undefined;
}

/** Where one monitor listens: `unix:/path`, `tcp:127.0.0.1:0`; in a private folder if no address is given. */
export interface MonitorPlace {
  readonly name: string;
  readonly address?: string | undefined;
}

/** What to replay, where, and how. */
export interface ReplayOptions {
  /** A transcript, or the path of its file. Without one the server greets and negotiates, and every command is a mismatch. */
  readonly transcript?: Transcript | string | undefined;
  /** `control` and `watch` unless told, as in a QEMU that qmpctl starts. */
  readonly monitors?: readonly MonitorPlace[] | undefined;
  readonly weather?: Weather | undefined;
  /** Whether out-of-band is offered; as recorded unless told. */
  readonly oob?: boolean | undefined;
  /** After so many milliseconds without a request, the next recorded event of the scene comes. 250 unless told. */
  readonly idle?: number | undefined;
  /**
   * What QEMU understands: a release that comes with this package (`"7.2"`), a reply to query-qmp-schema, the path of its file, or false
   * for none. A request that is not in the transcript, and that QEMU would refuse (an unknown command, missing or wrong arguments), is
   * refused in QEMU's words, and is no mismatch. The transcript's release unless told, if it comes with this package.
   */
  readonly schema?: string | readonly SchemaEntry[] | false | undefined;
  /**
   * Commands that functions answer instead of the recording. A function gets the arguments and returns the value; it throws QmpFailure for
   * an error. Without a recording `quit` is answered as by QEMU.
   */
  readonly answers?: Readonly<Record<string, (args: unknown) => unknown>> | undefined;
}

/** A fake QEMU: with real sockets, QMP's rules, and recorded answers. */
export interface ReplayServer extends AsyncDisposable {
  /** The address of the first monitor. */
  readonly address: string;
  /** The address of each monitor by its name. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Where clients did not follow the recording, so far. */
  readonly mismatches: readonly Mismatch[];
  /** What clients asked so far, except qmp_capabilities. */
  readonly said: readonly Said[];
  /** Resolves with the recorded status when QEMU has ended. */
  readonly exited: Promise<string>;
  /**
   * Sends all clients an event that is not in the recording, with the present time. Events that QEMU sends at most once a second are
   * limited too, by a clock that stands still.
   */
  emit(event: string, data?: Readonly<Record<string, unknown>>): void;
  /** Moves that clock. Events that were held back are sent when their second is over. */
  advance(milliseconds: number): void;
  /** Writes any bytes (one for each character) to all clients. */
  send(bytes: string): void;
  /** Breaks all connections; QEMU goes on. */
  reset(): void;
  /** Sends nothing more on the existing connections. */
  silence(): void;
  /** Ends QEMU at once. */
  exit(): Promise<void>;
  /** The real thread ids by the recorded ones, for threads that were asked for. */
  threads(): Promise<ReadonlyMap<number, number>>;
  /**
   * Checks that everything was as recorded so far.
   *
   * @throws MismatchError when a client did not follow the recording; with `finished`, also when a recorded changing command was never
   *   asked
   */
  verify(options?: { readonly finished?: boolean | undefined }): void;
  /**
   * Ends everything. May be called any number of times.
   *
   * @throws as `verify()`, for what was not reported before
   */
  close(): Promise<void>;
}

/**
 * Starts a replay; resolves when all monitors listen.
 *
 * @throws TranscriptError when the transcript is damaged; UsageError when an address can't be read; QmpctlError when there is no such
 *   schema; the system's error when a monitor can't listen
 */
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
    // Read for each command, because a test may change its answers meanwhile.
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

/** An empty recording of the release whose schema is wanted. */
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
