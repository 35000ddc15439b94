import { describe, expect, test } from "vitest";
import type { RecoveryReport } from "../../../src/domain/lifecycle/recover.ts";
import { StateError } from "../../../src/domain/model/errors.ts";
import { play } from "../scene.ts";

const interrupted = {
  domain: "web1",
  writer: 7,
  since: "2026-01-01T00:00:00.000Z",
  scope: "both",
  sameMachine: true,
  committed: false,
  changes: [],
} as const;

/** What is said of a recovery that went like this. */
async function said(recovery: Partial<RecoveryReport>, ...flags: readonly string[]): Promise<string> {
  const how = recovery.how ?? "finish";
  const recover = async (): Promise<RecoveryReport> => ({
    domain: "web1",
    how,
    interrupted,
    settled: ["static", "dynamic"],
    reports: [],
    restoredConfig: false,
    dryRun: false,
    ...recovery,
  });
  const { code, stdout, stderr } = await play(["recover", "web1", `--${how}`, ...flags], { domain: { recover } });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

describe("recover says what was done:", () => {
  test("both halves", async () => {
    expect(await said({})).toBe("web1: the interrupted change is finished\n");
    expect(await said({ how: "undo", restoredConfig: true })).toBe(
      "config: is as it was before, byte for byte\nweb1: the interrupted change is undone\n",
    );
    expect(await said({ how: "forget", settled: [] })).toBe(
      "web1: the interrupted change is forgotten: both halves are left as they are\n",
    );
  });

  test("the config alone, where the machine is gone", async () => {
    const gone = { interrupted: { ...interrupted, sameMachine: false }, settled: ["static"] } as const;
    expect(await said(gone)).toBe(
      "web1: the interrupted change is finished in the config only: the QEMU that it changed is gone, and the live half with it\n",
    );
    expect(await said({ ...gone, how: "undo" })).toContain("is undone in the config only: the QEMU");
    expect(await said({ ...gone, settled: [] })).toBe(
      "web1: nothing is left to finish: the QEMU that it changed is gone, and the live half with it, and the config was not part of the change\n",
    );
  });

  test("nothing, in a dry run", async () => {
    expect(await said({ dryRun: true, restoredConfig: true, how: "undo" }, "--dry-run")).toBe(
      "config: would be as it was before, byte for byte\nweb1: the interrupted change would be undone\n",
    );
  });

  test("what is lost with a damaged record", async () => {
    expect(await said({ how: "forget", interrupted: null, settled: [], lost: "all of it" })).toBe(
      "web1: the interrupted change is forgotten: both halves are left as they are\nlost: all of it\n",
    );
    expect(JSON.parse(await said({ how: "forget", interrupted: null, lost: "all of it" }, "--json"))).toMatchObject({
      how: "forget",
      interrupted: null,
      lost: "all of it",
    });
  });
});

describe("recover that is not told which way", () => {
  test("asks which, of a change that was interrupted, and looks at it only", async () => {
    const asked: unknown[] = [];
    const recover = async (how: string, options?: { readonly dryRun?: boolean | undefined }) => (
      asked.push([how, options?.dryRun]),
      {} as RecoveryReport
    );
    const { code, stderr } = await play(["recover", "web1"], { domain: { recover } });
    expect([code, asked]).toEqual([2, [["undo", true]]]);
    expect(stderr).toContain(
      "how should it be resolved? give --finish (new values in both halves), --undo (old values) or --forget (both stay as they are)",
    );
  });

  test("says first that there is nothing, where there is nothing", async () => {
    const recover = async (): Promise<RecoveryReport> =>
      Promise.reject(new StateError("web1: no change of it was interrupted, there is nothing to recover", "settled"));
    expect(await play(["recover", "web1"], { domain: { recover } })).toMatchObject({
      code: 3,
      stderr: "qmpctl: web1: no change of it was interrupted, there is nothing to recover\n",
    });
  });
});
