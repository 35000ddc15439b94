import { type FramingOptions } from "../wire/framing.ts";
import { writeJson } from "../wire/json.ts";
import type { Message } from "../wire/transport.ts";

/**
 * The words between two ends: one JSON object a line, of ASCII alone. The near end asks, the far end answers.
 *
 * From near to far: first the program that is to run there, `{"program": BASE64}`, which a far end that is installed lets pass. Then calls
 * `{"call": ID, "what": NAME, "domain": NAME, "args": […], "options": {…}, "tells": [NAME…], "key": KEY}`; `{"cancel": ID}` to interrupt
 * one; the rest of the program, `{"more": BASE64}`; bytes of a channel; beats.
 *
 * From far to near: who it is (`{"qmpctl": "loader", …}`, then `{"qmpctl": "serve", …}`); `{"tell": ID, "name": NAME, "args": […]}` while a
 * call is under way, then `{"result": ID, "value": …}` or `{"error": ID, "failure": {…}}`; `{"need": "more"}` for the rest of the program;
 * bytes of a channel; beats. A channel is the number of the call that opened it: `{"channel": ID, "data": BASE64}`, `{"channel": ID,
 * "end": true}`.
 */
export type Frame = Message;

/** The versions of these words that this program speaks, first and last. */
export const PROTOCOL: readonly [first: number, last: number] = [1, 1];

/** How often each end says that it is there, in milliseconds. */
export const BEAT: number = 5000;

/** After so long without a word the other end is given up, in milliseconds. */
export const SILENCE: number = 20_000;

/** The longest frame, in bytes: a reply of QEMU may be long, and travels in pieces. */
export const FRAMING: FramingOptions = { messageLimit: 32 * 1024 * 1024 };

/** How many bytes of a channel go into one frame. */
export const PIECE: number = 64 * 1024;

/** A frame as it is sent. @throws UsageError when a value can't be JSON */
export function writeFrame(frame: object): string {
  const text = writeJson(frame, "a call to another host");
  // A character of more than one byte would be lost where something on the way reads bytes as it likes.
  return `${text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}
