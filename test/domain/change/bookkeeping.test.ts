import { mkdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { factsOf, MIB, planOf } from "../../../scripts/lab/facts.ts";
import { statePaths } from "../../../src/config/runtime.ts";
import { recordsOf } from "../../../src/domain/change/apply.ts";
import { Bookkeeping, type BookkeepingOptions } from "../../../src/domain/change/bookkeeping.ts";
import { readRecord } from "../../../src/domain/change/journal.ts";
import { openBooks } from "../../../src/domain/machine/lock.ts";
import { ownFolders } from "../../config/folder.ts";

const facts = factsOf();
const plan = planOf(
  [
    { resource: "memory", size: 300 * MIB },
    { resource: "vcpus", count: 3 },
  ],
  "dynamic",
  facts,
);

async function booksOf(more: Partial<BookkeepingOptions> = {}) {
  const paths = statePaths(await ownFolders(), "process-1-1");
  await openBooks(paths);
  const notes: string[] = [];
  const records = recordsOf(plan.steps);
  const options = {
    domain: "web1",
    paths,
    stored: null,
    process: { pid: 1, started: 2 },
    facts,
    scope: "dynamic",
    plan,
    records,
    ends: null,
  } as const;
  const books = new Bookkeeping({ ...options, resolving: false, tell: (note) => notes.push(note), ...more });
  const noted = async (): Promise<unknown> => {
    const { asked, going } = JSON.parse(await readFile(paths.notes, "utf8")) as { asked: unknown; going?: unknown };
    return { asked, ...(going === undefined ? {} : { going }) };
  };
  return { books, paths, notes, records, noted };
}

test("S7: the journal of a change is there while it runs; one without live steps, or one that resolves another, writes none", async () => {
  const { books, paths } = await booksOf();
  await books.openJournal();
  expect(await readRecord(paths, "web1")).toMatchObject({ scope: "dynamic", changes: [{ back: 1024 * MIB }, { live: 2 }] });
  await books.closeJournal();
  expect(await readRecord(paths, "web1")).toBeNull();
  for (const more of [{ records: [] }, { resolving: true }]) {
    const none = await booksOf(more);
    await none.books.openJournal();
    expect(await readRecord(none.paths, "web1")).toBeNull();
  }
});

test("S7: one that resolves another leaves the journal of that one alone", async () => {
  const first = await booksOf();
  await first.books.openJournal();
  const { books } = await booksOf({ resolving: true, paths: first.paths });
  await books.closeJournal();
  expect(await readRecord(first.paths, "web1")).not.toBeNull();
});

test("S8: what is only about to be asked is noted as just that, and as asked once it is", async () => {
  const { books, records, noted } = await booksOf();
  await books.noteIntent();
  expect(await noted()).toEqual({ asked: {}, going: { asked: { balloon: 300 * MIB }, plugging: [2] } });
  const [plug, ...others] = records;
  if (plug === undefined) throw new Error("the plan has no step");
  plug.outcome = "done";
  await books.noteIntent();
  expect(await noted()).toEqual({ asked: {}, going: { asked: { balloon: 300 * MIB }, plugging: [] } });
  for (const record of others) record.outcome = "pending";
  await books.noteIntent();
  expect(await noted()).toEqual({ asked: { balloon: 300 * MIB } });
});

test("books that can't be kept don't stop a change: its report says so", async () => {
  const { books, paths, notes } = await booksOf();
  await mkdir(paths.notes);
  await books.noteDone();
  expect(notes).toEqual([expect.stringMatching(/^what was asked of the guest could not be noted: /)]);
});
