const known: { words?: readonly string[] } = {};

/** Says what the program of this process is called with, as `qmpctl setmem web1 1GiB`, for the history of a machine. */
export function nameProgram(words: readonly string[]): void {
  known.words = words;
}

/** What it is called with; undefined where nobody has said so. */
export function programWords(): readonly string[] | undefined {
  return known.words;
}
