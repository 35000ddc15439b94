import type { Socket } from "node:net";
import { type Input, JsonInput } from "../json/json-input.ts";
import { asksOutOfBand } from "../protocol/request.ts";
import type { Directive } from "../transcript/directive.ts";
import type { Prologue } from "../transcript/timeline-entry.ts";
import { SocketWriter, type WriterWeather } from "./socket-writer.ts";

/** How the server behaves on one connection. */
export interface ClientWeather extends WriterWeather {
  /** How many bytes a millisecond the server reads; undefined reads at once. */
  readRate?: number | undefined;
  /** Whether nothing is read at all. */
  deaf?: boolean | undefined;
}

/** What a connection begins with. */
export interface Setting {
  readonly prologue: Prologue | undefined;
  readonly weather: ClientWeather;
  /** The major version of the QEMU that is replayed. */
  readonly major: number;
}

/** With out-of-band enabled: how many requests may wait while one is executed, before reading stops. */
const QUEUE_OOB = 8;

/** One connection, on the server's side. It reads requests as far as the queue allows, and remembers what was negotiated. */
export class Client {
  readonly socket: Socket;
  readonly writer: SocketWriter;
  readonly prologue: Prologue | undefined;
  readonly queue: Input[] = [];
  /** Resolves when the client has left, or has closed its sending half. */
  readonly gone: Promise<void>;
  negotiated = false;
  oob = false;
  left = false;
  /** Whether one of its requests is being executed. */
  executing = false;
  /** Whether an out-of-band request is being executed. */
  overtaking = false;
  readonly #input: JsonInput;
  readonly #weather: ClientWeather;
  #deaf = false;
  readonly #wake: (input: Input, client: Client) => void;

  /** `wake` is called with each message that arrives. Out-of-band ones are not in the queue, all others are. */
  constructor(socket: Socket, setting: Setting, wake: (input: Input, client: Client) => void) {
    const { prologue, weather, major } = setting;
    this.#input = new JsonInput(major);
    this.socket = socket;
    this.prologue = prologue;
    this.writer = new SocketWriter(socket, weather);
    this.#weather = weather;
    this.#wake = wake;
    this.gone = new Promise((resolve) => {
      const leave = (): void => {
        this.left = true;
        resolve();
      };
      socket.once("end", leave).once("close", leave);
    });
    socket.on("error", () => {});
  }

  /** Starts reading. */
  read(): void {
    this.socket.on("data", (bytes) => this.#receive(bytes));
    this.socket.resume();
  }

  /** Does to this connection what a transcript's directive says. */
  applyDirective(directive: Directive): void {
    switch (directive.name) {
      case "split":
      case "bytewise":
      case "whole":
        this.writer.weather.chunk = "count" in directive ? directive.count : directive.name === "bytewise" ? 1 : undefined;
        return;
      case "pretty":
      case "compact":
        this.writer.weather.pretty = directive.name === "pretty";
        return;
      case "reset":
        return this.writer.reset();
      case "hang":
        return this.writer.mute();
      case "garbage":
        return this.writer.raw(directive.text);
      case "deaf":
        this.#deaf = true;
        this.socket.pause();
        return;
      default:
        return;
    }
  }

  /** Continues reading after a request was taken from the queue, or answered. */
  proceed(): void {
    if (this.#deaf) return;
    while (!this.#suspended) {
      const input = this.#input.next();
      if (input === undefined) break;
      if (!("value" in input && this.oob && asksOutOfBand(input.value))) this.queue.push(input);
      this.#wake(input, this);
    }
    if (this.#suspended && this.#input.unread > 65536) this.socket.pause();
    else if (this.#weather.readRate === undefined) this.socket.resume();
  }

  /**
   * Without out-of-band, one request at a time is read. With it, eight may wait; then nothing more is read, not even out-of-band requests.
   */
  get #suspended(): boolean {
    return this.overtaking || (this.oob ? this.queue.length >= QUEUE_OOB : this.queue.length > 0 || this.executing);
  }

  #receive(bytes: Uint8Array): void {
    this.#input.feed(bytes);
    const rate = this.#weather.readRate;
    if (rate !== undefined) {
      this.socket.pause();
      setTimeout(() => this.socket.resume(), bytes.length / rate).unref();
    }
    this.proceed();
  }
}
