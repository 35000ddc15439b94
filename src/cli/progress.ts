import type { Progress } from "../domain/model/change.ts";
import { showDuration } from "./duration.ts";
import { control, oneLine } from "./harmless.ts";
import { showSize, wrap } from "./output.ts";
import type { Io } from "./verb.ts";

/** Goes back to the start of the line and wipes it. */
export const erase: string = control("\r\u001b[K");

/** A line on the terminal that shows the progress of a long wait. Disposing wipes it. */
export interface ProgressLine extends Disposable {
  /** Goes into the library's options. `undefined` if nobody would see the line. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Draws progress on stderr, in place. If stderr is no terminal, it does nothing. */
export function progressLine(io: Io): ProgressLine {
  const { stderr } = io;
  if (!stderr.isTTY || io.env["TERM"] === "dumb") return { [Symbol.dispose]() {} };
  let drawn = false;
  return {
    onProgress(progress) {
      // After an interrupt, only the progress of the undo is true.
      if (io.signal.aborted && progress.undoing !== true) return;
      // One column stays free. A full line would wrap, and \r would leave its first row behind.
      stderr.write(erase + fitting(oneLine(describeProgress(progress)), (stderr.columns ?? 80) - 1));
      drawn = true;
    },
    [Symbol.dispose]() {
      if (drawn) stderr.write(erase);
      drawn = false;
    },
  };
}

/** `memory: 400MiB, going to 300MiB (1.2 s of 30 s)`. */
export function describeProgress({ what, actual, wanted, elapsed, timeout }: Progress): string {
  const where =
    actual === null ? "" : wanted === null ? `: ${show(what, actual)}` : `: ${show(what, actual)}, going to ${show(what, wanted)}`;
  return `${what}${where} (${showDuration(elapsed)} of ${showDuration(timeout)})`;
}

/** As much of a line as fits. It loses whole words, never half a word. */
function fitting(line: string, room: number): string {
  return line.length <= room ? line : (wrap(line.replace(/ \([^()]*\)$/, ""), room)[0] ?? "").slice(0, room);
}

function show(what: string, value: number | string): string {
  return typeof value === "number" && what.includes("memory") ? showSize(value) : String(value);
}
