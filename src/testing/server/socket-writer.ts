import type { Socket } from "node:net";
import { formatJson, type Json, spread } from "../json/json-value.ts";
import type { Modifier } from "../transcript/timeline-entry.ts";

/** How a monitor writes. */
export interface WriterWeather {
  /** Bytes in one write; undefined writes whole messages. */
  chunk?: number | undefined;
  /** Whether CR and LF come in two writes. */
  splitLineEnd?: boolean | undefined;
  /** Whether messages have many lines, as with `pretty=on`. */
  pretty?: boolean | undefined;
  /** Milliseconds before each message. */
  delay?: number | undefined;
  /** How many bytes a millisecond are written; undefined writes at once. */
  writeRate?: number | undefined;
}

/** The writing half of one connection. It writes everything in order, in the pieces that the weather asks for. */
export class SocketWriter {
  readonly #socket: Socket;
  readonly weather: WriterWeather;
  /** The greeting that was sent here; empty before that. */
  greeted = "";
  #muted = false;
  #pending: Promise<void> | undefined;

  constructor(socket: Socket, weather: WriterWeather) {
    this.#socket = socket;
    this.weather = { ...weather };
  }

  /** Writes one message, given as QEMU's one-line text. */
  message(text: string, modifiers: readonly Modifier[] = []): void {
    const whole = this.weather.pretty === true ? spread(text).replaceAll("\n", "\r\n") : text;
    this.#enqueue(Buffer.from(`${whole}\r\n`, "latin1"), modifiers);
  }

  /** Writes the greeting, after `delay` milliseconds. */
  greet(text: string, modifiers: readonly Modifier[], delay: number | undefined): void {
    this.greeted = text;
    this.message(text, delay === undefined ? modifiers : [{ name: "delay", count: delay }, ...modifiers]);
  }

  /** Writes one message, given as a value. */
  value(value: Json): void {
    this.message(formatJson(value));
  }

  /** Writes bytes that need not be a message; each character is one byte. */
  raw(bytes: string): void {
    this.#enqueue(Buffer.from(bytes, "latin1"), []);
  }

  /** From now on nothing is written, and nothing is closed. */
  mute(): void {
    this.#muted = true;
  }

  /** Ends the connection when everything is written. */
  end(): void {
    this.#then(() => void this.#socket.end());
  }

  /** Breaks the connection at once (TCP: with RST; a Unix socket has only an end). */
  reset(): void {
    this.#muted = true;
    if (this.#socket.remoteAddress === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #enqueue(bytes: Buffer, modifiers: readonly Modifier[]): void {
    if (this.#muted) return;
    const delay = modifiers.find((it) => it.name === "delay")?.count ?? this.weather.delay;
    const cut = modifiers.find((it) => it.name === "truncate")?.count;
    const pieces = piecesOf(cut === undefined ? bytes : bytes.subarray(0, cut), this.weather);
    if (delay === undefined && pieces.length === 1 && this.#pending === undefined) this.#write(pieces[0] ?? bytes);
    else this.#then(() => this.#trickle(pieces, delay));
    if (cut === undefined) return;
    this.end();
    this.mute();
  }

  async #trickle(pieces: readonly Buffer[], delay: number | undefined): Promise<void> {
    if (delay !== undefined) await new Promise((resolve) => setTimeout(resolve, delay));
    for (const piece of pieces) {
      if (this.#socket.destroyed) return;
      this.#write(piece);
      const { writeRate } = this.weather;
      await new Promise((resolve) => (writeRate === undefined ? setImmediate(resolve) : setTimeout(resolve, piece.length / writeRate)));
    }
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes);
  }

  #then(action: () => void | Promise<void>): void {
    const turn: Promise<void> = (this.#pending ?? Promise.resolve()).then(action).finally(() => {
      if (this.#pending === turn) this.#pending = undefined;
    });
    this.#pending = turn;
  }
}

function piecesOf(bytes: Buffer, weather: WriterWeather): readonly Buffer[] {
  const chunk = weather.chunk ?? weather.writeRate;
  if (chunk !== undefined) {
    const size = Math.max(1, Math.floor(chunk));
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
  }
  if (weather.splitLineEnd === true && bytes.at(-2) === 13) return [bytes.subarray(0, -1), bytes.subarray(-1)];
  return [bytes];
}
