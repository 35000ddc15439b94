import { Buffer, constants } from "node:buffer";
import { UsageError } from "../errors.ts";
import { excerptOf, ProtocolError } from "./errors.ts";
import { LONGEST_NUMBER } from "./exact.ts";
import { HeldBytes } from "./held-bytes.ts";
import { parseMessage } from "./json.ts";
import type { Message } from "./transport.ts";

/** How a stream of bytes is cut into messages. */
export interface FramingOptions {
  /**
   * The longest message that is accepted, in bytes: 128 MiB unless told, twice what QEMU itself would read. A longer one ends the
   * connection with a ProtocolError. No more than this is ever held of a message.
   */
  readonly messageLimit?: number | undefined;
}

const MESSAGE_LIMIT: number = 128 * 1024 * 1024;

/** A message becomes one string before it is parsed. */
const LONGEST_STRING: number = constants.MAX_STRING_LENGTH;

/** The deepest nesting that is accepted. QEMU reads 1,024 levels, and may add one around an id that it echoes. */
export const NESTING_CEILING = 1100;

/**
 * The most lists, objects and strings that one message may have: one for each 32 bytes of its limit, and never less than a million. Empty
 * ones take three bytes on the wire and fifty in memory, so 128 MiB of them would exhaust a process's memory.
 */
const BYTES_PER_PART = 32;
const LEAST_PARTS = 1_000_000;

/** Integers with fewer digits always fit a number. */
const LONG_DIGITS = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** What one read gave: whole messages in order, and the fault that ended the stream, if there was one. */
export interface Frames {
  readonly messages: readonly Message[];
  readonly fault: ProtocolError | undefined;
}

/**
 * Cuts a stream of bytes into messages by JSON structure, not by line: QEMU's `pretty=on` spreads one message over many lines. A read may
 * end anywhere, also within a character or an escape. Each byte is looked at once, however the bytes arrive.
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
  /** Length of the run of digits that is being read, outside strings. */
  #digits = 0;
  /** Lists, objects and strings in the message so far. */
  #parts = 0;
  #exact = false;
  #wide = false;
  /** True until the first delimiter, if there is one to wait for. */
  #deaf: boolean;
  #fault: ProtocolError | undefined;

  /**
   * `delimiter` is a byte that no message contains. Everything before it is dropped: what comes before the first one was meant for an
   * earlier client, and may begin in the middle of a message.
   *
   * @throws UsageError when the message limit is not valid
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

  /** How many bytes are held of a message that is not complete. */
  get pending(): number {
    return this.#held.length;
  }

  /** Takes the next bytes of the stream. After a fault nothing more is read, and the fault is returned again. */
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

  /** The position after the last delimiter; everything before it is dropped. */
  #forget(bytes: Buffer, delimiter: number): number {
    const last = bytes.lastIndexOf(delimiter);
    if (last < 0) return this.#deaf ? bytes.length : 0;
    this.#deaf = false;
    this.#held.clear();
    this.#depth = this.#digits = this.#parts = 0;
    this.#inString = this.#escaped = this.#exact = this.#wide = false;
    return last + 1;
  }

  /** Only white space may stand between messages. Anything else that is not an object is not QMP. */
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

  /** Reads up to the end of the message or of the bytes, and returns that position. The depth is 0 at the end of a message. */
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
    // Checked once for each read: a single read is too short for this to matter.
    this.#parts = parts;
    if (parts > this.#mostParts)
      throw this.#refusal(`a message of more than ${this.#mostParts} lists, objects and strings`, bytes.subarray(from, at));
    return at;
  }

  /** Reads up to just after the string's closing quote, or to the end of the bytes. */
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

  /** QEMU writes pure ASCII, which decodes faster as latin1; another peer may write UTF-8. */
  #decode(bytes: Buffer, from: number, to: number): string {
    return this.#wide ? bytes.toString("utf8", from, to) : bytes.toString("latin1", from, to);
  }

  /** A long number has to be read exactly. One that is far too long is refused: the time to read it grows with the square of its length. */
  #longNumber(digits: number, bytes: Buffer, at: number): void {
    this.#exact = true;
    if (digits <= LONGEST_NUMBER) return;
    const excerpt = excerptOf(bytes.toString("latin1", Math.max(0, at - 60), at + 20));
    throw new ProtocolError(this.#peer, `a number of more than ${LONGEST_NUMBER} digits, and QEMU's have 20`, { excerpt });
  }

  /** A fault that shows the first bytes of the message. `part` is its newest part. */
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
