import { appendFile, chmod, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { MIB } from "../../../scripts/lab/facts.ts";
import { lastingFolder } from "../../../src/config/folders.ts";
import { statePaths } from "../../../src/config/runtime.ts";
import { appendHistory, automaticHistory, HISTORY_LIMIT, type HistoryEntry, olderHistory } from "../../../src/domain/change/history.ts";
import { Domain } from "../../../src/domain/domain.ts";
import { openBooks } from "../../../src/domain/machine/lock.ts";
import { definedDomain, failure, runningDomain } from "../scene.ts";

const ENTRY: HistoryEntry = {
  key: "0123456789abcdef",
  what: "start",
  domain: "web1",
  who: { uid: 0, user: "root", program: ["qmpctl", "start", "web1"], pid: 1 },
  began: "2026-11-26T12:00:00.000Z",
  ended: "2026-11-26T12:00:01.000Z",
  outcome: "done",
};

describe("a change has its line", () => {
  test("with who, when, what, and what became of both halves", async () => {
    const { domain, books } = await runningDomain();
    const before = new Date().toISOString();
    await domain.setMemory(300 * MIB, { scope: "both" });
    const { entries, unreadable } = await domain.history();
    expect(unreadable).toBe(0);
    expect(entries).toMatchObject([
      {
        what: "change",
        domain: "web1",
        scope: "both",
        outcome: "applied",
        who: { uid: process.geteuid?.(), pid: process.pid, program: [expect.any(String)] },
        changes: [
          {
            name: "memory",
            static: { outcome: "applied", wanted: 300 * MIB, actual: 300 * MIB },
            dynamic: { outcome: "applied", before: 1024 * MIB, wanted: 300 * MIB, actual: 300 * MIB },
          },
        ],
      },
    ]);
    const [entry] = entries;
    const times = [before, entry?.began, entry?.ended, new Date().toISOString()];
    expect(times).toEqual(times.toSorted());
    expect((await stat(books.history)).mode & 0o777).toBe(0o600);
  });

  test("one that was undone too, with why; none what was refused, only planned, or is so already", async () => {
    const scene = await runningDomain();
    scene.qemu.refuses("balloon", "the kernel can't");
    await failure(scene.domain.setMemory(300 * MIB, { scope: "both" }));
    await scene.domain.setVcpus(3, { dryRun: true });
    await scene.domain.setVcpus(2);
    await expect(scene.domain.setVcpus(400)).rejects.toMatchObject({ code: "refused" });
    expect((await scene.domain.history()).entries).toMatchObject([
      { outcome: "rolled-back", about: expect.stringContaining("the kernel can't") as string, changes: [{ name: "memory" }] },
    ]);
  });

  test("also if it can't be written: the change is made, and its report says so", async () => {
    const { domain, books, text } = await definedDomain();
    await openBooks(books);
    await symlink("/dev/full", books.history);
    const report = await domain.setVcpus(3);
    expect(report).toMatchObject({
      outcome: "applied",
      notes: [expect.stringMatching(/^the history does not tell this: .*history: ELOOP/)],
    });
    expect(await text()).toContain('"current": 3');
  });

  test("before its journal is gone, whoever keeps its outcome; and a process that dies in between leaves no second one", async () => {
    const { domain, books } = await runningDomain();
    let journal = "";
    await domain.setVcpus(3, {
      onEnded: async () => {
        journal = await readFile(books.journal, "utf8");
        expect((await domain.history()).entries).toHaveLength(1);
      },
    });
    const [entry] = (await domain.history()).entries;
    expect(JSON.parse(journal)).toMatchObject({ key: entry?.key, who: entry?.who });
    // As that process would have left it: it is found by the next one, which has to resolve it.
    await writeFile(books.journal, JSON.stringify({ ...JSON.parse(journal), writer: 2 ** 22 + 1, started: 1 }), { mode: 0o600 });
    await domain.recover("finish");
    expect((await domain.history()).entries).toMatchObject([
      { key: entry?.key, outcome: "applied" },
      { what: "recover", about: "finish", recovers: entry?.key },
    ]);
  });

  test("one whose process died has it from what resolved it: who had begun it, when, and what was wanted", async () => {
    const { domain, books } = await runningDomain();
    let journal = "";
    await domain.setVcpus(3, { onEnded: async () => void (journal = await readFile(books.journal, "utf8")) });
    await writeFile(books.history, "");
    await writeFile(books.journal, JSON.stringify({ ...JSON.parse(journal), writer: 2 ** 22 + 1, started: 1 }), { mode: 0o600 });
    await domain.recover("undo");
    expect((await domain.history()).entries).toMatchObject([
      {
        what: "change",
        outcome: "failed",
        about: expect.stringMatching(/^interrupted: process \d+ ended/),
        changes: [{ dynamic: { wanted: 3 } }],
      },
      { what: "recover", about: "undo", changes: [{ name: "vcpus", dynamic: { outcome: "applied", before: 3, actual: 2 } }] },
    ]);
  });
});

describe("the file", () => {
  test("has one line each, goes on after a torn one, and is read without it", async () => {
    const { domain, books } = await definedDomain();
    await openBooks(books);
    await appendHistory(books, ENTRY);
    await appendFile(books.history, '{"key": "torn');
    await appendHistory(books, { ...ENTRY, key: "second" });
    const { entries, unreadable } = await domain.history();
    expect([entries.map(({ key }) => key), unreadable]).toEqual([[ENTRY.key, "second"], 1]);
    expect((await domain.history({ last: 1 })).entries.map(({ key }) => key)).toEqual(["second"]);
    expect((await domain.history({ last: 0 })).entries).toEqual([]);
    for (const within of [1000, 0, -1e20]) expect((await domain.history({ within })).entries).toEqual([]);
    for (const within of [1e13, 1e20, Infinity]) expect((await domain.history({ within })).entries).toHaveLength(2);
  });

  test("is read without lines that look like entries and are none: what is shown of an entry is there", async () => {
    const { domain, books } = await definedDomain();
    await openBooks(books);
    const half = { outcome: "applied", before: null, wanted: 1, actual: 1 };
    const made = { name: "x", resource: "later", static: half, dynamic: half };
    const lines = [
      ...[{ who: {} }, { who: [] }, { who: { uid: 0, user: {} } }, { ended: "soon" }, { about: {} }, { more: {} }],
      ...[{ changes: {} }, { changes: [null] }, { changes: [{}] }, { changes: [{ ...made, static: null }] }],
      ...[{ changes: [{ ...made, dynamic: { ...half, before: {} } }] }],
    ];
    for (const [at, line] of lines.entries()) await appendFile(books.history, `${JSON.stringify({ ...ENTRY, key: `${at}`, ...line })}\n`);
    await appendFile(books.history, `${JSON.stringify({ ...ENTRY, changes: [made] })}\n`, { mode: 0o600 });
    await chmod(books.history, 0o600);
    const { entries, unreadable } = await domain.history();
    // One of a resource that only a later version has is one.
    expect([entries.map(({ key }) => key), unreadable]).toEqual([[ENTRY.key], lines.length]);
  });

  test("stays small: a full one makes room for the next, and one before it is kept", async () => {
    const { domain, books } = await definedDomain();
    await openBooks(books);
    const line = `${JSON.stringify(ENTRY)}\n`;
    await writeFile(books.history, line.repeat(Math.floor(HISTORY_LIMIT / line.length)), { mode: 0o600 });
    await appendHistory(books, { ...ENTRY, key: "without the lock" }, false);
    expect((await stat(books.history)).size).toBeGreaterThan(HISTORY_LIMIT);
    await appendHistory(books, { ...ENTRY, key: "newest" });
    expect((await stat(books.history)).size).toBeLessThan(500);
    expect((await stat(olderHistory(books.history))).size).toBeLessThan(HISTORY_LIMIT + 1000);
    expect((await domain.history()).entries.map(({ key }) => key)).toEqual([ENTRY.key, "without the lock", "newest"]);
  });

  test("keeps what nobody asked for apart: a night of it pushes out nothing that somebody did, and is told in its place", async () => {
    const { domain, books } = await runningDomain();
    await domain.setMemory(300 * MIB);
    const [own] = (await domain.history()).entries;
    await domain.setMemory(400 * MIB, { automatic: true });
    const automatic = automaticHistory(books.history);
    const [line = ""] = (await readFile(automatic, "utf8")).split("\n");
    await writeFile(automatic, `${line}\n`.repeat(Math.floor(HISTORY_LIMIT / line.length)), { mode: 0o600 });
    await domain.setMemory(500 * MIB, { automatic: true });
    expect((await stat(automatic)).size).toBeLessThan(5000);
    expect((await stat(books.history)).size).toBeLessThan(5000);
    await domain.setMemory(600 * MIB);
    const { entries } = await domain.history();
    expect(entries.map(({ changes, automatic: isAutomatic = false }) => [changes?.[0]?.dynamic.wanted, isAutomatic])).toEqual([
      [own?.changes?.[0]?.dynamic.wanted, false],
      [400 * MIB, true],
      [500 * MIB, true],
      [600 * MIB, false],
    ]);
  });

  test("has no endless line: long texts are cut, and of many changes some are counted only", async () => {
    const { domain, books } = await definedDomain();
    await openBooks(books);
    const half = { outcome: "applied", before: null, wanted: "x".repeat(5000), actual: null } as const;
    const changes = Array.from({ length: 100 }, (_, at) => ({ name: `device ${at}`, resource: "device", static: half, dynamic: half }));
    await appendHistory(books, { ...ENTRY, changes, about: "y".repeat(5000), who: { ...ENTRY.who, program: Array(5000).fill("word") } });
    expect((await stat(books.history)).size).toBeLessThan(17 * 1024);
    const [entry] = (await domain.history()).entries;
    expect((entry?.changes?.length ?? 0) + (entry?.more ?? 0)).toBe(100);
    expect(entry?.changes?.length).toBeGreaterThan(5);
    expect(entry?.about).toMatch(/^y{400}…$/);
  });

  test("of somebody else, or that everybody can write, is not believed", async () => {
    const { domain, books } = await definedDomain();
    await openBooks(books);
    await appendHistory(books, ENTRY);
    await chmod(books.history, 0o666);
    await expect(domain.history()).rejects.toMatchObject({ code: "config", problem: "unsafe" });
  });

  test("goes with its machine: a new one of that name has a history of its own", async () => {
    const { domain, options, books, place } = await definedDomain();
    await domain.setVcpus(3);
    const source = place.config?.path ?? "";
    const text = await readFile(source, "utf8");
    await domain.undefine();
    await expect(stat(books.history)).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(`${options.stateDir}.json`, text.replace(/"id": "[^"]*",/, ""), { mode: 0o600 });
    const { domain: again } = await Domain.define({ file: `${options.stateDir}.json` }, options);
    expect((await again.history()).entries).toMatchObject([{ what: "define" }]);
  });

  test("of root's machines outlives a boot, which the folder of locks does not", () => {
    const folders = { config: "/etc/qmpctl", runtime: "/run/qmpctl", state: "/run/qmpctl" };
    expect(statePaths(folders, "an-id").history).toBe("/var/lib/qmpctl/@an-id/history");
    // A QEMU without a mark is nothing after a boot.
    expect(statePaths(folders, "process-1-2").history).toBe("/run/qmpctl/@process-1-2/history");
    expect(lastingFolder("/home/alice/.local/state/qmpctl")).toBe("/home/alice/.local/state/qmpctl");
  });
});
