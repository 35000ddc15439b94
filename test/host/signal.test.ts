import { describe, expect, test } from "vitest";
import { identify, isStillThere, sendSignal, waitForEnd } from "../../src/host/signal.ts";
import { isAlive } from "../../src/host/threads.ts";
import { runProgram } from "./processes.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

const running = () => runProgram("sh", "-c", "echo up; exec cat");

describe("a process's identity", () => {
  test("is its own, and no longer anybody's when it has ended", async () => {
    const cat = await running();
    const identity = await identify(cat.pid);
    expect(identity).toMatchObject({ pid: cat.pid });
    expect(identity !== undefined && (await isStillThere(identity))).toBe(true);
    await cat.kill();
    expect(identity !== undefined && (await isStillThere(identity))).toBe(false);
    expect(await identify(cat.pid)).toBeUndefined();
    expect(await identify(NOBODY)).toBeUndefined();
  });

  test("is not that of another process with the same id", async () => {
    const cat = await running();
    const { pid, started } = (await identify(cat.pid)) ?? { pid: 0, started: 0 };
    expect(await isStillThere({ pid, started: started - 1 })).toBe(false);
  });
});

describe("a signal", () => {
  test("ends the process", async () => {
    const cat = await running();
    const identity = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    await sendSignal(identity, "SIGTERM");
    expect(await waitForEnd(identity, { timeout: 4000 })).toBe(true);
  });

  test("never hits a process that has taken over the id", async () => {
    const cat = await running();
    const { pid, started } = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    await sendSignal({ pid, started: started - 1 }, "SIGKILL");
    expect(await isAlive(cat.pid)).toBe(true);
  });

  test("to nobody is sent to nobody", async () => {
    await expect(sendSignal({ pid: NOBODY, started: 1 }, "SIGKILL")).resolves.toBeUndefined();
  });
});

describe("waiting for an end", () => {
  test("looks again and again, and tells each time how long it has waited", async () => {
    const cat = await running();
    const identity = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    const looks: number[] = [];
    const onLook = (elapsed: number): void => {
      if (looks.push(elapsed) === 3) process.kill(cat.pid, "SIGKILL");
    };
    expect(await waitForEnd(identity, { timeout: 60_000, onLook })).toBe(true);
    expect(looks.length).toBeGreaterThanOrEqual(3);
    expect(looks.toSorted((a, b) => a - b)).toEqual(looks);
  });

  test("goes on until the deadline and no longer", async () => {
    const cat = await running();
    const identity = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    const start = performance.now();
    expect(await waitForEnd(identity, { timeout: 60 })).toBe(false);
    expect(performance.now() - start).toBeGreaterThanOrEqual(60);
  });

  test("looks once even without any time", async () => {
    const cat = await running();
    const identity = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    expect(await waitForEnd(identity, { timeout: 0 })).toBe(false);
    await cat.kill();
    expect(await waitForEnd(identity, { timeout: 0 })).toBe(true);
  });

  test("is ended by an abort, with its reason", async () => {
    const cat = await running();
    const identity = (await identify(cat.pid)) ?? { pid: NOBODY, started: 0 };
    const stop = new AbortController();
    const reason = new Error("ctrl-c");
    const end = waitForEnd(identity, { timeout: 60_000, signal: stop.signal, onLook: () => stop.abort(reason) });
    await expect(end).rejects.toBe(reason);
  });
});
