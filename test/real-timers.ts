import { beforeAll } from "vitest";

/** The timers that this process began with, whatever file runs in it now. */
const kept = globalThis as unknown as { timersOfTheProcess?: readonly unknown[] };
const timers = (): readonly unknown[] => [setTimeout, setInterval, setImmediate, performance.now, process.hrtime];
kept.timersOfTheProcess ??= timers();

// Fake timers that a file leaves behind never ring for the files after it: those hang, each time another one.
beforeAll(() => {
  if (timers().some((timer, position) => timer !== kept.timersOfTheProcess?.[position]))
    throw new Error("a file before this one, in the same process, has left fake timers behind");
});
