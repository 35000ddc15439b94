import type { ProtocolError } from "./errors.ts";

/**
 * Under this key a message carries its own fault: it could be taken apart, but not all of it could be read. Between the framer
 * and the session only, and no public name: a transport of somebody else's gives messages that are read, or throws.
 */
export const FAULT: unique symbol = Symbol("fault");

/** One message of the wire: always a JSON object. Integers that a number can't hold exactly are bigints. */
export interface Message {
  readonly [name: string]: unknown;
  readonly [FAULT]?: ProtocolError;
}

/**
 * A way to talk to one peer. It is iterated once: each turn gives all messages that came together, so that a busy wire costs
 * one turn a read and not one a message. The iteration ends when the peer closes, and throws when the connection breaks.
 * A literal object will do for a test.
 */
export interface Transport extends AsyncIterable<readonly Message[]> {
  /** What the peer is called in error messages: an address as {@link formatAddress} writes it. */
  readonly peer: string;
  /** Sends text (as UTF-8) or bytes as they are; never blocks, never throws for a broken connection (the iteration tells). */
  send(text: string | Uint8Array): void;
  /** Gives the connection up; settles when it is gone. The iteration ends too. Any number of calls. */
  close(): Promise<void>;
}
