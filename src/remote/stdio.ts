import type { Buffer } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import { Framer } from "../wire/framing.ts";
import { Intake } from "../wire/socket.ts";
import type { Transport } from "../wire/transport.ts";
import { FRAMING } from "./frame.ts";

/** A conversation by the standard input and output of this process. `first`: what was read of it already. */
export function stdioTransport(stdin: Readable, stdout: Writable, first?: Uint8Array): Transport {
  const intake = new Intake(new Framer("stdin", FRAMING));
  const end = (failure?: unknown): void => intake.inbox.end(failure);
  if (first !== undefined) intake.read(first);
  stdin.on("data", (chunk: Buffer) => void (intake.read(chunk) || stdin.pause()));
  stdin.once("end", () => intake.end());
  // Whoever read the first of it may have paused it.
  stdin.resume();
  stdin.once("error", end);
  // Nobody reads any more: what was begun goes on all the same.
  stdout.on("error", () => end());
  return {
    peer: "stdin",
    send: (text) => void (stdout.writable && stdout.write(text)),
    close() {
      end();
      stdin.destroy();
      return Promise.resolve();
    },
    [Symbol.asyncIterator]: () => intake.inbox,
  };
}
