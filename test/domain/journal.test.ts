import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openRuntime, runtimePaths, type RuntimePaths } from "../../src/config/runtime.ts";
import { isUnderWay, readJournal, removeJournal, writeJournal } from "../../src/domain/journal.ts";
import { identify } from "../../src/host/signal.ts";
import { ownFolders } from "../config/folder.ts";
import { runProgram } from "../host/processes.ts";

const record = {
  scope: "both",
  changes: [
    { change: { resource: "memory", size: 4096 }, config: 8192, live: 8192, back: 4096 },
    { change: { resource: "vcpu-pin", vcpu: 1, cpus: "0" }, config: "all", live: null, back: null },
    { change: { resource: "max-vcpus", count: 4 }, config: 2, live: 2, back: 2 },
  ],
  masks: { 0: "0-1" },
  config: { before: "old\n", after: "new\n" },
} as const;

async function runtime(): Promise<RuntimePaths> {
  const paths = runtimePaths(await ownFolders(), "web1");
  await openRuntime(paths);
  return paths;
}

describe("a record of a change", () => {
  test("comes back as it was written, with who wrote it and for which machine", async () => {
    const paths = await runtime();
    expect(await readJournal({ name: "web1", runtime: paths })).toBeNull();
    await writeJournal(paths, record, process.pid);
    const { since, ...read } = (await readJournal({ name: "web1", runtime: paths })) ?? { since: "" };
    const own = await identify(process.pid);
    expect(read).toEqual({ ...record, writer: process.pid, started: own?.started, machine: own });
    expect(Math.abs(Date.parse(since) - Date.now())).toBeLessThan(60_000);
    await removeJournal(paths);
    expect(await readJournal({ name: "web1", runtime: paths })).toBeNull();
    await removeJournal(paths);
  });

  test("is for its owner's eyes, and takes the place of what a dead writer began", async () => {
    const paths = await runtime();
    await writeFile(`${paths.journal}.new`, "half a rec");
    await writeJournal(paths, record, null);
    expect(await readdir(paths.folder)).toEqual(["journal"]);
    expect((await stat(paths.journal)).mode & 0o777).toBe(0o600);
    expect((await readJournal({ name: "web1", runtime: paths }))?.machine).toBeNull();
  });

  test("that can't be written says where, and leaves nothing", async () => {
    const paths = await runtime();
    await expect(writeJournal({ ...paths, journal: join(paths.folder, "x".repeat(252)) }, record, null)).rejects.toMatchObject({ code: "host", message: expect.stringMatching(/xxx: ENAMETOOLONG/) as string });
    expect(await readdir(paths.folder)).toEqual([]);
  });

  test("names a machine that was gone already as one that is not there", async () => {
    const paths = await runtime();
    const gone = await runProgram("sh", "-c", "echo up; exec cat");
    await gone.kill();
    await writeJournal(paths, record, gone.pid);
    expect((await readJournal({ name: "web1", runtime: paths }))?.machine).toEqual({ pid: gone.pid, started: -1 });
  });

  test.each(["", "{", "null", "[]", '{"writer":1}', `${JSON.stringify({ ...record, writer: 1, started: 1, since: "", machine: null, scope: "all" })}`])("is not believed when it is %j", async (text) => {
    const paths = await runtime();
    await writeFile(paths.journal, text);
    await expect(readJournal({ name: "web1", runtime: paths })).rejects.toMatchObject({ code: "config", message: expect.stringContaining(`${paths.journal}: not a record of a change`) as string });
    expect(await readFile(paths.journal, "utf8")).toBe(text);
  });
});

describe("the writer of a record", () => {
  test("is at it as long as that very process lives", async () => {
    const paths = await runtime();
    await writeJournal(paths, record, null);
    const written = await readJournal({ name: "web1", runtime: paths });
    if (written === null) throw new Error("no record");
    expect(await isUnderWay(written)).toBe(true);
    expect(await isUnderWay({ ...written, started: (written.started ?? 0) - 1 })).toBe(false);
    expect(await isUnderWay({ ...written, started: null })).toBe(true);
    const gone = await runProgram("sh", "-c", "echo up; exec cat");
    await gone.kill();
    expect(await isUnderWay({ ...written, writer: gone.pid, started: null })).toBe(false);
  });
});
