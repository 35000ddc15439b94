import { flow } from "../output.ts";
import type { Io } from "../verb.ts";

/** Asks on the terminal until there is an answer: whether to edit again. The end of the input, and an interrupt, are a no. */
export async function asksAgain(io: Io): Promise<boolean> {
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: io.stdin, terminal: false });
  const stop = (): void => lines.close();
  io.signal.addEventListener("abort", stop, { once: true });
  try {
    io.stderr.write(QUESTION);
    if (io.signal.aborted) return false;
    for await (const line of lines) {
      if (/^\s*y(es)?\s*$/i.test(line)) return true;
      if (/^\s*no?\s*$/i.test(line)) return false;
      io.stderr.write(flow("y: edit it again; n: leave the config as it is, and keep what was edited", io.stderr.columns));
      io.stderr.write(QUESTION);
    }
    return false;
  } finally {
    io.signal.removeEventListener("abort", stop);
    lines.close();
    io.stdin.pause();
  }
}

const QUESTION = "edit it again? (y/n) ";
