import { rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openFolder, runtimePaths, type RuntimePaths, statePaths, type StatePaths } from "../../../src/config/runtime.ts";
import { causeOf, endOf } from "../../../src/domain/lifecycle/ended.ts";
import { type ProcessRecord, readProcessRecord, writeProcessRecord } from "../../../src/domain/machine/process-record.ts";
import { ownFolders } from "../../config/folder.ts";
import { runStandIn } from "../../host/processes.ts";
import { definedDomain } from "../scene.ts";

const THEN = new Date("2030-01-02T03:04:05.000Z");

/** A machine that was started and is gone, with these files in its run-time folder. */
async function gone(
  files: Readonly<Record<string, string>>,
  more: Partial<ProcessRecord> = {},
): Promise<{ readonly books: StatePaths; readonly runtime: RuntimePaths }> {
  const folders = await ownFolders();
  const [books, runtime] = [statePaths(folders, "0d5e5d3e"), runtimePaths(folders, "web1")];
  for (const folder of [books.folder, runtime.folder]) await openFolder(folder);
  await writeProcessRecord(books, {
    process: { pid: 4711, started: 1 },
    how: "started",
    config: "/etc/qmpctl/web1.json",
    folder: runtime.folder,
    since: "2030-01-01T00:00:00.000Z",
    ...more,
  });
  for (const [name, text] of Object.entries(files)) await writeFile(join(runtime.folder, name), text, { mode: 0o600 });
  for (const name of Object.keys(files)) await utimes(join(runtime.folder, name), THEN, THEN);
  await utimes(runtime.folder, THEN, THEN);
  return { books, runtime };
}

const traced = (reason: number): string => `123@1893556800.000000:qemu_system_shutdown_request reason=${reason}\n`;

describe("the end of a machine", () => {
  test("is not known where it was never started", async () => {
    expect(await endOf(statePaths(await ownFolders(), "0d5e5d3e"))).toBeNull();
  });

  test("that one of our commands made is told as that one noted it", async () => {
    const ended = { at: "2030-01-01T00:00:01.000Z", why: "destroyed" };
    expect(await endOf((await gone({}, { ended })).books)).toEqual(ended);
  });

  test.each([
    [1, "an error on the host"],
    [2, "QEMU was told to quit"],
    [4, "QEMU was ended by a signal"],
    [6, "the guest powered off"],
    [8, "the guest panicked"],
  ])("is told by QEMU's own trace of it, reason %i: %s", async (reason, why) => {
    const { books } = await gone({ output: traced(reason) });
    expect(await endOf(books)).toEqual({ at: THEN.toISOString(), why });
  });

  test("has its last words, but not what QEMU had said when it came up", async () => {
    expect(await endOf((await gone({ output: `warning: no KVM\n${traced(4)}` })).books)).toMatchObject({
      why: "QEMU was ended by a signal; its last words: warning: no KVM",
    });
    expect(await endOf((await gone({ output: `warning: no KVM\n${traced(4)}` }, { told: 1 })).books)).toMatchObject({
      why: "QEMU was ended by a signal",
    });
    expect(await endOf((await gone({ output: "warning: no KVM\nout of disk\n" }, { told: 1 })).books)).toMatchObject({
      why: "its last words: out of disk",
    });
    expect(await endOf((await gone({ output: "" })).books)).toEqual({ at: THEN.toISOString(), why: "it ended by itself" });
  });

  test("by its last trace, where a reset came before", async () => {
    expect(await endOf((await gone({ output: traced(3) + traced(6) })).books)).toMatchObject({ why: "the guest powered off" });
    expect(await endOf((await gone({ output: traced(99) })).books)).toMatchObject({ why: "it ended by itself" });
  });

  test("without an end of QEMU's own making was a crash, or a kill: its pidfile is there", async () => {
    expect(await endOf((await gone({ pid: "4711\n" })).books)).toEqual({ at: null, why: "it was killed, or crashed, without a word" });
    expect(await endOf((await gone({ pid: "4711\n", output: "Assertion failed: n < max\n" })).books)).toEqual({
      at: null,
      why: "it was killed, or crashed; its last words: Assertion failed: n < max",
    });
    // Words that came after the pidfile came at the end.
    const { books, runtime } = await gone({ pid: "4711\n", output: "Assertion failed: n < max\n" });
    await utimes(runtime.output, new Date(THEN.getTime() + 60_000), new Date(THEN.getTime() + 60_000));
    expect(await endOf(books)).toMatchObject({ at: "2030-01-02T03:05:05.000Z" });
    // The pidfile of another one says nothing of this one.
    expect(await endOf((await gone({ pid: "4712\n", output: traced(6) })).books)).toMatchObject({ why: "the guest powered off" });
  });

  test("is nobody's to tell where its folder is gone, or never was", async () => {
    const { books, runtime } = await gone({});
    await rm(runtime.folder, { recursive: true });
    expect(await endOf(books)).toEqual({ at: null, why: "the cause is not known: its run-time folder is gone" });
    expect(await endOf((await gone({}, { how: "adopted", folder: null })).books)).toEqual({
      at: null,
      why: "no command of ours was there to see why",
    });
  });

  test("was that of the host where that runs for another time", async () => {
    const { books } = await gone({ output: traced(6) });
    const record = await readProcessRecord(books);
    await writeFile(books.process, JSON.stringify({ ...record, boot: "before" }));
    expect(await endOf(books)).toEqual({ at: null, why: "the host went down, or was restarted, while it ran" });
  });
});

test.each([
  ["guest-shutdown", "the guest powered off"],
  ["host-signal", "QEMU was ended by a signal"],
  ["host-qmp-quit", "QEMU was told to quit"],
  ["subsystem-reset", "reason subsystem-reset"],
  [undefined, "the cause is not known"],
])("SHUTDOWN's reason %s: %s", (reason, why) => {
  expect(causeOf(reason)).toBe(why);
});

describe("info", () => {
  test("tells it of a domain that is stopped, and not of one that runs", async () => {
    const { domain, books, id, runtime, place } = await definedDomain();
    const argv = ["qemu-system-x86_64", "-name", "web1", "-object", `authz-simple,id=qmpctl-${id},identity=${place.config?.path}`];
    const qemu = await runStandIn(argv);
    await openFolder(books.folder);
    await openFolder(runtime.folder);
    await writeFile(runtime.output, traced(6));
    await writeProcessRecord(books, {
      process: { pid: 4711, started: 1 },
      how: "started",
      config: place.config?.path ?? "",
      folder: runtime.folder,
      since: "",
    });
    expect(await domain.info()).not.toHaveProperty("ended");
    await qemu.kill();
    expect(await domain.info()).toMatchObject({
      state: "stopped",
      ended: { why: "the guest powered off", at: expect.any(String) as string },
    });
  });
});
