import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a stand-in notes for the test that has it started, one JSON a line of the file `report`. */
export type Note = { readonly run: number; readonly pid: number } & (
  | { readonly note: "start" | "end" }
  | { readonly note: "mismatch"; readonly message: string; readonly line: number; readonly command: string }
  /** What is still to be asked; an empty message when nothing is. */
  | { readonly note: "unplayed"; readonly message: string; readonly line: number; readonly command: string }
);

/** The transcripts that a list names: `a.qmp:b.qmp`, or a folder's `*.qmp` by number. */
export function listRuns(names: string): readonly string[] {
  return names
    .split(":")
    .filter((it) => it !== "")
    .flatMap((name) => {
      if (!statSync(name).isDirectory()) return [name];
      const files = readdirSync(name).filter((it) => it.endsWith(".qmp"));
      return files.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map((file) => join(name, file));
    });
}

/** Takes the next run: the first number that nobody has taken. Safe when two start at once, as making a file is. */
export function takeRun(state: string): number {
  mkdirSync(state, { recursive: true });
  for (let run = 1; ; run += 1) {
    try {
      writeFileSync(join(state, `run-${run}`), "", { flag: "wx" });
      return run;
    } catch (error) {
      if ((error as { readonly code?: string }).code !== "EEXIST") throw error;
    }
  }
}

/** Adds a note. Written at once: the process may be killed the next moment. */
export function writeNote(state: string, note: Note): void {
  appendFileSync(join(state, "report"), `${JSON.stringify(note)}\n`);
}

/** All notes so far; none where nothing was started yet. */
export function readNotes(state: string): readonly Note[] {
  try {
    return readFileSync(join(state, "report"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Note);
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") return [];
    throw error;
  }
}
