import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A note for the test that has an emulator started: one JSON value on each line of the file `report`. */
export type Note = { readonly run: number; readonly pid: number } & (
  | { readonly note: "start" | "end" }
  | { readonly note: "mismatch"; readonly message: string; readonly line: number; readonly command: string }
  /** The next command that was recorded and not asked; an empty message if there is none. */
  | { readonly note: "unplayed"; readonly message: string; readonly line: number; readonly command: string }
);

/** The transcripts of a list: `a.qmp:b.qmp`, or the `*.qmp` of a folder by number. */
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

/** Takes the next run: the first number that is free. Two processes may do this at once, because creating a file is atomic. */
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

/** Adds a note. Written synchronously, because the process may be killed at any moment. */
export function writeNote(state: string, note: Note): void {
  appendFileSync(join(state, "report"), `${JSON.stringify(note)}\n`);
}

/** All notes so far; empty if nothing was started yet. */
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
