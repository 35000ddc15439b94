import { expect, test } from "vitest";
import { describeProgress, progressLine } from "../../src/cli/progress.ts";
import { ioOf } from "./scene.ts";

const progress = { what: "memory", actual: 400 * 2 ** 20, wanted: 300 * 2 ** 20, elapsed: 1234, timeout: 30_000 };

test("where it is, where it goes, how long", () => {
  expect(describeProgress(progress)).toBe("memory: 400MiB, going to 300MiB (1.2 s of 30 s)");
  expect(describeProgress({ ...progress, what: "vCPUs", actual: 3, wanted: 1 })).toBe("vCPUs: 3, going to 1 (1.2 s of 30 s)");
  expect(describeProgress({ ...progress, what: "shutdown", actual: null, wanted: null })).toBe("shutdown (1.2 s of 30 s)");
});

test("on a terminal it is drawn in place on stderr, shorter than the terminal, and wiped", () => {
  const io = ioOf({ columns: 20 });
  {
    using line = progressLine(io);
    line.onProgress?.(progress);
    line.onProgress?.(progress);
  }
  expect(io.stderr.text).toBe("\r\u001b[Kmemory: 400MiB,\r\u001b[Kmemory: 400MiB,\r\u001b[K");
  expect(io.stdout.text).toBe("");
});

test("nothing is wiped where nothing was drawn", () => {
  const io = ioOf({ columns: 20 });
  progressLine(io)[Symbol.dispose]();
  expect(io.stderr.text).toBe("");
});

test("after an interrupt nothing is drawn but the way back: it does not go there any more", () => {
  const io = ioOf({ columns: 20, signal: AbortSignal.abort() });
  const line = progressLine(io);
  line.onProgress?.(progress);
  expect(io.stderr.text).toBe("");
  line.onProgress?.({ ...progress, what: "taking back", actual: null, wanted: null, undoing: true });
  expect(io.stderr.text).toBe("\r\u001b[Ktaking back");
});

test("in a pipe there is no progress to ask for", () => expect(progressLine(ioOf()).onProgress).toBeUndefined());
