import { link, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { locate } from "../../../src/config/locate.ts";
import { openFolder, statePaths, type StatePaths } from "../../../src/config/runtime.ts";
import { readConfig, type Stored } from "../../../src/config/store.ts";
import { isAbout, isMachineThere, isUnderWay, readRecord, removeRecord, writeRecord } from "../../../src/domain/change/journal.ts";
import type { ActionRecord, Journal, RecordHead } from "../../../src/domain/change/record.ts";
import { bootId } from "../../../src/host/processes.ts";
import { identify } from "../../../src/host/signal.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolders } from "../../config/folder.ts";
import { runProgram } from "../../host/processes.ts";

const ID = "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b";
const OTHER = "ffffffff-2b3c-4f57-9d7c-0d4b5e6f7a8b";

const change = {
  scope: "both",
  changes: [
    { change: { resource: "memory", size: 4096 }, config: 8192, live: 8192, back: 4096 },
    { change: { resource: "vcpu-pin", vcpu: 1, cpus: "0" }, config: "all", live: null, back: null },
    { change: { resource: "max-vcpus", count: 4 }, config: 2, live: 2, back: 2 },
  ],
  threads: [{ resource: "vcpu-pin", vcpu: 0, cpus: "0-1" }],
  brings: [1, "io1"],
  own: [{ tid: 4000, affinity: "0-1", policy: "other" }],
  config: { before: "old\n", after: "new\n" },
} as const;

async function books(): Promise<StatePaths> {
  const paths = statePaths(await ownFolders(), ID);
  await openFolder(paths.folder);
  return paths;
}

/** A config as it is read from its file. */
async function stored({
  id,
  name = "web1",
  folder,
}: { readonly id?: string; readonly name?: string; readonly folder?: string } = {}): Promise<Stored> {
  const folders = await ownFolders();
  const place = await locate(join(folder ?? folders.config, `${name}.json`), folders);
  await mkdir(dirname(place.path), { recursive: true });
  await writeFile(place.path, configText({ name, ...(id === undefined ? {} : { id }) }), { mode: 0o600 });
  return readConfig(place);
}

async function written(of: Stored | null, machine: RecordHead["machine"] = null): Promise<Journal | ActionRecord> {
  const paths = await books();
  await writeRecord(paths, change, of, machine);
  const record = await readRecord(paths, "web1");
  if (record === null) throw new Error("no record");
  return record;
}

describe("a record of a change", () => {
  test("comes back as it was written, with who wrote it, in which run of the host, of which config and for which machine", async () => {
    const paths = await books();
    const config = await stored({ id: ID });
    const own = await identify(process.pid);
    expect(await readRecord(paths, "web1")).toBeNull();
    await writeRecord(paths, change, config, own ?? null);
    const { since, ...read } = (await readRecord(paths, "web1")) ?? { since: "" };
    expect(read).toEqual({
      ...change,
      writer: process.pid,
      started: own?.started,
      boot: bootId(),
      of: { path: config.path, id: ID, name: "web1" },
      machine: own,
    });
    expect(Math.abs(Date.parse(since) - Date.now())).toBeLessThan(60_000);
    await removeRecord(paths);
    expect(await readRecord(paths, "web1")).toBeNull();
    await removeRecord(paths);
  });

  test.each([
    { action: "start", paused: true },
    { action: "restart", paused: false },
    { action: "shutdown", paused: false },
  ] as const)("or of an action comes back too: %j", async (action) => {
    const paths = await books();
    await writeRecord(paths, action, null, { pid: 4711, started: 1 });
    expect(await readRecord(paths, "web1")).toMatchObject({ ...action, of: null, machine: { pid: 4711, started: 1 }, boot: bootId() });
  });

  test("is for its owner's eyes, and takes the place of what a dead writer began", async () => {
    const paths = await books();
    await writeFile(`${paths.journal}.new`, "half a rec");
    await writeRecord(paths, change, null, null);
    expect(await readdir(paths.folder)).toEqual(["journal"]);
    expect((await stat(paths.journal)).mode & 0o777).toBe(0o600);
    expect((await readRecord(paths, "web1"))?.machine).toBeNull();
  });

  test("takes the place of a link that somebody planted there, and is not written where it leads", async () => {
    const paths = await books();
    const victim = join(paths.folder, "victim");
    await writeFile(victim, "theirs");
    await symlink(victim, paths.journal);
    await symlink(victim, `${paths.journal}.new`);
    await expect(readRecord(paths, "web1")).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("this program wrote (a symbolic link);") as string,
    });
    await writeRecord(paths, change, null, null);
    expect([await readFile(victim, "utf8"), await readRecord(paths, "web1")]).toMatchObject(["theirs", change]);
  });

  test("that can't be written says where, and leaves nothing", async () => {
    const paths = await books();
    await expect(writeRecord({ journal: join(paths.folder, "x".repeat(252)) }, change, null, null)).rejects.toMatchObject({
      code: "host",
      message: expect.stringMatching(/xxx: ENAMETOOLONG/) as string,
    });
    expect(await readdir(paths.folder)).toEqual([]);
  });

  const head = { writer: 1, started: 1, boot: bootId(), since: "", of: null, machine: null };
  test.each(
    [
      ["", "{", "null", "[]", '{"writer":1}'],
      [
        { ...change, ...head, scope: "all" },
        { ...change, ...head, boot: undefined },
        { ...change, ...head, of: { path: "/x" } },
        { ...change, ...head, machine: { pid: 1 } },
        { ...head, action: "stop", paused: false },
      ].map((each) => JSON.stringify(each)),
    ].flat(),
  )("is not believed when it is %j", async (text) => {
    const paths = await books();
    await writeFile(paths.journal, text);
    await expect(readRecord(paths, "web1")).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining(`${paths.journal}: not a record of a change`) as string,
    });
    expect(await readFile(paths.journal, "utf8")).toBe(text);
  });
});

describe("the writer of a record", () => {
  test("is at it as long as that very process lives, in that run of the host", async () => {
    const record = await written(null);
    expect(await isUnderWay(record)).toBe(true);
    expect(await isUnderWay({ ...record, started: (record.started ?? 0) - 1 })).toBe(false);
    expect(await isUnderWay({ ...record, boot: "another" })).toBe(false);
    expect(await isUnderWay({ ...record, started: null })).toBe(true);
    expect(await isUnderWay({ ...record, started: null, boot: "another" })).toBe(false);
    const gone = await runProgram("sh", "-c", "echo up; exec cat");
    await gone.kill();
    expect(await isUnderWay({ ...record, writer: gone.pid, started: null })).toBe(false);
  });
});

describe("the machine of a record", () => {
  test("is there as long as that very process lives, in that run of the host; one elsewhere may be", async () => {
    const own = (await identify(process.pid)) ?? null;
    const record = await written(null, own);
    expect(await isMachineThere(record)).toBe(true);
    expect(await isMachineThere({ ...record, boot: "another" })).toBe(false);
    expect(await isMachineThere({ ...record, machine: { pid: process.pid, started: 1 } })).toBe(false);
    expect(await isMachineThere({ ...record, machine: null })).toBeNull();
    expect(await isMachineThere({ ...record, machine: null, boot: "another" })).toBe(false);
  });
});

describe("the config of a record", () => {
  test("with an id is known by it, wherever its file is by now", async () => {
    const config = await stored({ id: ID });
    const record = await written(config);
    expect(await isAbout(record, config)).toBe(true);
    await rename(config.path, `${config.path}.moved.json`);
    expect(await isAbout(record, await stored({ id: ID }))).toBe(true);
  });

  test("that has another id, or none, or one by now, is another machine's: also at the same path", async () => {
    const config = await stored({ id: ID });
    const folder = dirname(config.path);
    const record = await written(config);
    expect(await isAbout(record, await stored({ id: OTHER, folder }))).toBe(false);
    expect(await isAbout(record, await stored({ folder }))).toBe(false);
    const bare = await stored({ folder });
    expect(await isAbout(await written(bare), await stored({ id: ID, folder }))).toBe(false);
  });

  test("that was copied, id and all, is another machine's by its name", async () => {
    const config = await stored({ id: ID });
    const record = await written(config);
    expect(await isAbout(record, await stored({ id: ID, name: "copy", folder: dirname(config.path) }))).toBe(false);
    // The same file under another name, and another name in the same file.
    await link(config.path, join(dirname(config.path), "same.json"));
    expect(
      await isAbout(record, { ...config, path: join(dirname(config.path), "same.json"), config: { ...config.config, name: "same" } }),
    ).toBe(true);
  });

  test("without an id is known by its file, however that is spelled", async () => {
    const config = await stored();
    const record = await written(config);
    expect(await isAbout(record, config)).toBe(true);
    await symlink(dirname(config.path), `${dirname(config.path)}.link`);
    expect(await isAbout(record, { ...config, path: join(`${dirname(config.path)}.link`, "web1.json") })).toBe(true);
    expect(await isAbout(record, await stored())).toBe(false);
  });

  test("is not asked for where the machine is addressed by its monitor, or had none", async () => {
    const config = await stored({ id: ID });
    expect(await isAbout(await written(config), null)).toBe(true);
    expect(await isAbout(await written(null), config)).toBe(true);
  });
});

test("a record of the version before is read: of all threads it has the masks of vCPUs alone", async () => {
  const paths = await books();
  await writeRecord(paths, change, null, null);
  const {
    threads: _,
    brings: _brings,
    own: _own,
    ...rest
  } = JSON.parse(await readFile(paths.journal, "utf8")) as Readonly<Record<string, unknown>>;
  await writeFile(paths.journal, JSON.stringify({ ...rest, masks: { 0: "0-1" } }), { mode: 0o600 });
  expect(await readRecord(paths, "web1")).toMatchObject({ ...change, brings: [], own: [] });
});
