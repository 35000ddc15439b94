import { Buffer, constants } from "node:buffer";
import { UsageError } from "../errors.ts";
import { excerptOf, ProtocolError } from "./errors.ts";
import { LONGEST_NUMBER } from "./exact.ts";
import { HeldBytes } from "./held-bytes.ts";
import { parseMessage } from "./json.ts";
import type { Message } from "./transport.ts";

/** How messages are cut out of what comes. */
export interface FramingOptions {
  /**
   * The longest message that is taken, in bytes: 128 MiB unless told, twice what QEMU itself would read. A longer one ends the
   * connection with a ProtocolError, and no more than that is ever held of one.
   */
  readonly messageLimit?: number | undefined;
}

const MESSAGE_LIMIT: number = 128 * 1024 * 1024;

/** A message becomes one string before it becomes a value. */
const LONGEST_STRING: number = constants.MAX_STRING_LENGTH;

/** The deepest nesting that is taken: QEMU reads 1,024 levels, and may wrap one more around an id that it echoes. */
export const NESTING_CEILING = 1100;

/**
 * The most lists, objects and strings that one message may have: one for each 32 bytes of its limit, and a million in any case.
 * Empty ones take three bytes on the wire and fifty in memory: 128 MiB of them would be more than a process may have.
 */
const BYTES_PER_PART = 32;
const LEAST_PARTS = 1_000_000;

/** Integers of fewer digits always fit a number. */
const LONG_DIGITS = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** What a read gave: whole messages in order, and then perhaps the fault that ends the stream. */
export interface Frames {
  readonly messages: readonly Message[];
  readonly fault: ProtocolError | undefined;
}

/**
 * Cuts a stream of bytes into messages by JSON structure, not by line (QEMU's `pretty=on` spreads one over many lines).
 * Reads may be split anywhere, also within a character or an escape. Each byte is looked at once, however it arrives.
 */
export class Framer {
  readonly #peer: string;
  readonly #limit: number;
  readonly #mostParts: number;
  readonly #delimiter: number | undefined;
  readonly #held: HeldBytes;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Length of the run of digits being read, outside strings. */
  #digits = 0;
  /** Lists, objects and strings of the message so far. */
  #parts = 0;
  #exact = false;
  #wide = false;
  /** Until the first delimiter, where there is one. */
  #deaf: boolean;
  #fault: ProtocolError | undefined;

  /**
   * A `delimiter` is a byte that no message has in it, before which all is to be forgotten: what comes before the first one
   * is for somebody who was here before us, and may begin in the middle. Throws a UsageError for a limit that is none.
   */
  constructor(peer: string, { messageLimit = MESSAGE_LIMIT }: FramingOptions = {}, delimiter?: number) {
    if (!(Number.isInteger(messageLimit) && messageLimit > 0 && messageLimit <= LONGEST_STRING)) {
      throw new UsageError(`a messageLimit of ${messageLimit}`, { value: messageLimit, expected: `whole bytes, 1 to ${LONGEST_STRING}` });
    }
    this.#peer = peer;
    this.#limit = messageLimit;
    this.#held = new HeldBytes(messageLimit);
    this.#mostParts = Math.max(LEAST_PARTS, Math.trunc(messageLimit / BYTES_PER_PART));
    this.#delimiter = delimiter;
    this.#deaf = delimiter !== undefined;
  }

  /** Bytes held of a message that is not complete. */
  get pending(): number {
    return this.#held.length;
  }

  /** Takes the next bytes of the stream. After a fault nothing more is read. */
  read(chunk: Uint8Array): Frames {
    if (this.#fault !== undefined) return { messages: [], fault: this.#fault };
    const messages: Message[] = [];
    const bytes = chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = this.#delimiter === undefined ? 0 : this.#forget(bytes, this.#delimiter);
    try {
      while (at < bytes.length) {
        if (this.#depth === 0) at = this.#skipBlank(bytes, at);
        if (at === bytes.length) break;
        const end = this.#scan(bytes, at);
        if (this.#held.length + end - at > this.#limit)
          throw this.#refusal(`a message longer than ${this.#limit} bytes, its messageLimit`, bytes.subarray(at, end));
        if (this.#depth === 0) messages.push(this.#complete(bytes, at, end));
        else this.#held.add(bytes.subarray(at, end));
        at = end;
      }
    } catch (fault) {
      if (!(fault instanceof ProtocolError)) throw fault;
      this.#fault = fault;
      this.#held.release();
      return { messages, fault };
    }
    return { messages, fault: undefined };
  }

  /** Where to begin after the last delimiter; what came before it is dropped. */
  #forget(bytes: Buffer, delimiter: number): number {
    const last = bytes.lastIndexOf(delimiter);
    if (last < 0) return this.#deaf ? bytes.length : 0;
    this.#deaf = false;
    this.#held.clear();
    this.#depth = this.#digits = this.#parts = 0;
    this.#inString = this.#escaped = this.#exact = this.#wide = false;
    return last + 1;
  }

  /** Between messages there may be white space only; anything else but an object is not QMP. */
  #skipBlank(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === OPEN_BRACE) return at;
      if (byte !== 0x0a && byte !== 0x0d && byte !== 0x20 && byte !== 0x09) {
        throw new ProtocolError(this.#peer, "this is not QMP", { excerpt: excerptOf(bytes.toString("latin1", at, at + 4096)) });
      }
    }
    return bytes.length;
  }

  /** Reads on to the end of the message, or of the bytes; tells where that is. The depth says which. */
  #scan(bytes: Buffer, from: number): number {
    const length = bytes.length;
    let at = from;
    let depth = this.#depth;
    let digits = this.#digits;
    let parts = this.#parts;
    while (at < length) {
      if (this.#inString) {
        at = this.#scanString(bytes, at);
        continue;
      }
      const byte = bytes[at++] as number;
      if (byte <= 0x39 && byte >= 0x30) {
        if (++digits >= LONG_DIGITS) this.#longNumber(digits, bytes, at);
        continue;
      }
      digits = 0;
      if (byte === QUOTE) {
        this.#inString = true;
        parts++;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        parts++;
        if (++depth > NESTING_CEILING) throw this.#tooDeep(bytes, at);
      } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) break;
    }
    this.#depth = depth;
    this.#digits = digits;
    // Asked once a read: a read has not so many bytes that it matters.
    this.#parts = parts;
    if (parts > this.#mostParts)
      throw this.#refusal(`a message of more than ${this.#mostParts} lists, objects and strings`, bytes.subarray(from, at));
    return at;
  }

  /** Reads on to just after the string's closing quote, or the end of the bytes. */
  #scanString(bytes: Buffer, from: number): number {
    const length = bytes.length;
    let at = from;
    let high = 0;
    if (this.#escaped) {
      this.#escaped = false;
      high |= bytes[at++] as number;
    }
    for (; at < length; at++) {
      const byte = bytes[at] as number;
      high |= byte;
      if (byte === QUOTE) {
        this.#inString = false;
        at++;
        break;
      }
      if (byte === BACKSLASH && ++at === length) {
        this.#escaped = true;
        break;
      }
    }
    if (high >= 0x80) this.#wide = true;
    return at;
  }

  #complete(bytes: Buffer, from: number, to: number): Message {
    let text: string;
    if (this.#held.length === 0) text = this.#decode(bytes, from, to);
    else {
      this.#held.add(bytes.subarray(from, to));
      text = this.#decode(this.#held.first(Infinity), 0, this.#held.length);
      this.#held.release();
    }
    const exact = this.#exact;
    this.#exact = this.#wide = false;
    this.#parts = 0;
    return parseMessage(this.#peer, text, exact);
  }

  /** QEMU writes pure ASCII, which decodes quicker this way; another peer may write UTF-8. */
  #decode(bytes: Buffer, from: number, to: number): string {
    return this.#wide ? bytes.toString("utf8", from, to) : bytes.toString("latin1", from, to);
  }

  /** Its digits are read exactly, and so many of them not at all: the time that it takes grows with their square. */
  #longNumber(digits: number, bytes: Buffer, at: number): void {
    this.#exact = true;
    if (digits <= LONGEST_NUMBER) return;
    const excerpt = excerptOf(bytes.toString("latin1", Math.max(0, at - 60), at + 20));
    throw new ProtocolError(this.#peer, `a number of more than ${LONGEST_NUMBER} digits, and QEMU's have 20`, { excerpt });
  }

  /** Shows the first bytes of the message that goes on with these. */
  #refusal(why: string, part: Buffer): ProtocolError {
    const shown = Buffer.concat([this.#held.first(4096), part.subarray(0, 4096)]);
    return new ProtocolError(this.#peer, why, { excerpt: excerptOf(shown.toString("latin1", 0, 4096)) });
  }

  #tooDeep(bytes: Buffer, at: number): ProtocolError {
    return new ProtocolError(this.#peer, `a message nested deeper than ${NESTING_CEILING} levels`, {
      excerpt: excerptOf(bytes.toString("latin1", 0, at)),
    });
  }
}
