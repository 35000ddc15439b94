import type { ProtocolError } from "./errors.ts";

/**
 * The key of a message's own fault: the message could be split into its parts, but not all of them could be read. Used between the framer
 * and the session only. It is not public: another kind of transport gives messages that are whole, or throws.
 */
export const FAULT: unique symbol = Symbol("fault");

/** One message, which is always a JSON object. Integers that a number can't hold exactly are bigints. */
export interface Message {
  readonly [name: string]: unknown;
  readonly [FAULT]?: ProtocolError;
}

/**
 * A connection to one peer. It is iterated once. Each turn gives all messages that arrived together, so that a busy connection costs one
 * turn for each read and not one for each message. The iteration ends when the peer closes the connection, and throws when the connection
 * breaks. For a test, an object literal is enough.
 */
export interface Transport extends AsyncIterable<readonly Message[]> {
  /** The peer's address for error messages, as {@link formatAddress} writes it. */
  readonly peer: string;
  /** Sends text (as UTF-8) or bytes. Never blocks, and never throws when the connection is broken: the iteration does. */
  send(text: string | Uint8Array): void;
  /** Closes the connection, and resolves when it is closed. The iteration ends too. May be called any number of times. */
  close(): Promise<void>;
}
