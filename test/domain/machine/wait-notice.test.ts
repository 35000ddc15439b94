import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { describeProgress } from "../../../src/cli/progress.ts";
import { deadlineIn } from "../../../src/deadline.ts";
import { WaitNotice, whyStopped } from "../../../src/domain/machine/wait-notice.ts";
import type { Progress } from "../../../src/domain/model/change.ts";
import { runProgram } from "../../host/processes.ts";

describe("a change that has nothing to tell", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] }));
  afterEach(() => void vi.useRealTimers());

  const heard: Progress[] = [];
  const opened = (): WaitNotice => {
    heard.length = 0;
    return new WaitNotice((progress) => void heard.push(progress));
  };

  test("is told to be waiting, from the second second on, with how long it may", async () => {
    using notice = opened();
    notice.enter("waiting for QEMU", deadlineIn(30_000));
    await vi.advanceTimersByTimeAsync(900);
    expect(heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(600);
    expect(heard.at(-1)).toEqual({ what: "waiting for QEMU", actual: null, wanted: null, elapsed: 1500, timeout: 30_000 });
    notice.enter("undoing what is half done", deadlineIn(15_000), { undoing: true });
    await vi.advanceTimersByTimeAsync(500);
    expect(heard.at(-1)).toMatchObject({ what: "undoing what is half done", elapsed: 500, timeout: 15_000, undoing: true });
  });

  test("says nothing for as long as its steps do, and after its end", async () => {
    const notice = opened();
    notice.enter("waiting for QEMU", deadlineIn(30_000));
    const own: Progress = { what: "memory", actual: 1, wanted: 2, elapsed: 3, timeout: 4 };
    for (let turn = 0; turn < 10; turn++) {
      notice.onProgress(own);
      await vi.advanceTimersByTimeAsync(400);
    }
    expect(new Set(heard)).toEqual(new Set([own]));
    notice[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(heard).toHaveLength(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("says that it is a process which stands still, and what lets it go on, in a line of a terminal", async () => {
    const { pid } = await runProgram(process.execPath, "-e", "console.log('up'); process.stdin.resume()");
    process.kill(pid, "SIGSTOP");
    await vi.waitUntil(() => whyStopped(pid));
    using notice = opened();
    for (const [what, more] of [
      ["waiting for QEMU", {}],
      ["undoing what is half done", { undoing: true }],
    ] as const) {
      notice.enter(what, deadlineIn(15_000), { ...more, pid });
      await vi.advanceTimersByTimeAsync(1500);
      await vi.waitUntil(
        () =>
          heard.at(-1)?.what.endsWith(`QEMU (process ${pid}) is stopped, kill -CONT ${pid}`) &&
          heard.at(-1)?.undoing === ("undoing" in more || undefined),
      );
      expect(describeProgress(heard.at(-1) as Progress).length).toBeLessThan(80);
    }
  });

  test("keeps no timer where nobody listens", () => {
    using _notice = new WaitNotice(undefined);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a process that stands still by a signal is told from one that is only slow, and how to let it go on", async () => {
  const { pid } = await runProgram(process.execPath, "-e", "console.log('up'); process.stdin.resume()");
  expect(await whyStopped(pid)).toBeNull();
  process.kill(pid, "SIGSTOP");
  // The kernel stops its threads one after the other.
  await vi.waitUntil(() => whyStopped(pid));
  expect(await whyStopped(pid)).toBe(`QEMU (process ${pid}) is stopped by a signal and answers nothing; kill -CONT ${pid} lets it go on`);
  process.kill(pid, "SIGCONT");
  await vi.waitUntil(async () => (await whyStopped(pid)) === null);
  expect(await whyStopped(null)).toBeNull();
});
