import { describe, expect, test } from "vitest";
import type { Ended } from "../../../src/domain/facade.ts";
import { LostError } from "../../../src/remote/errors.ts";
import { play, reportOf } from "../scene.ts";

const KEY = "0123456789";
const told = (outcome: Ended, ...more: readonly string[]): ReturnType<typeof play> =>
  play(["outcome", KEY, ...more], { facade: { outcome: async () => outcome } });

describe("what became of a change", () => {
  test.each([
    [{ state: "unknown" }, 3, "unknown\n"],
    [{ state: "interrupted" }, 4, "interrupted\n"],
    [{ state: "under-way" }, 5, "under-way\n"],
    [{ state: "done", value: null }, 0, "done\n"],
    [{ state: "failed", failure: { message: "web1: it runs", code: "refused" } }, 3, "failed: web1: it runs\n"],
    [{ state: "failed", failure: { message: "QEMU is gone", code: "partial" } }, 4, "failed: QEMU is gone\n"],
    [{ state: "failed", failure: { message: "odd" } }, 1, "failed: odd\n"],
  ] as const)("is told with its exit code: %j", async (outcome, code, stdout) => {
    expect(await told(outcome)).toMatchObject({ code, stdout, stderr: "" });
    expect(JSON.parse((await told(outcome, "--json")).stdout)).toEqual(outcome);
  });

  test("is the report of what was done, and of what failed, with the exit code of that", async () => {
    const done = await told({ state: "done", value: reportOf({ outcome: "pending" }) });
    expect(done).toMatchObject({ code: 5, stdout: expect.stringMatching(/memory\s+dynamic/) as string });
    const failure = { message: "QEMU said no", code: "rolled-back", evidence: { report: reportOf({ outcome: "rolled-back" }) } };
    const failed = await told({ state: "failed", failure });
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringMatching(/memory\s+dynamic/) as string });
  });
});

describe("a host that is lost during a change", () => {
  const change = (error: Error, signal?: AbortSignal): ReturnType<typeof play> =>
    play(["setmem", "web1", "1G", "--both"], {
      domain: { change: async () => Promise.reject(error) },
      ...(signal === undefined ? {} : { signal }),
    });

  test("ends with 4 where it may have been done, also after an interrupt, and tells the key", async () => {
    const lost = new LostError("kvm1", `what became of it is not known: qmpctl -H kvm1 outcome ${KEY}`, KEY);
    for (const signal of [undefined, AbortSignal.abort(new Error("interrupted by SIGINT"))])
      expect(await change(lost, signal)).toMatchObject({ code: 4, stderr: expect.stringContaining(`outcome ${KEY}`) as string });
  });

  test("ends with 1 where nothing was touched", async () => {
    expect(await change(new LostError("kvm1", "it never began, and nothing was touched", null))).toMatchObject({ code: 1 });
  });
});
