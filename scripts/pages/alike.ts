/**
 * All that may differ between what a page shows and what is said when its commands are run: it varies from run to run, or from host to
 * host. Whatever else a page shows has to be so, to the letter.
 */
const VARIES: readonly (readonly [what: string, where: RegExp, placeholder: string])[] = [
  ["the id of a machine, the key of a request", /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "ID"],
  ["a moment", /\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  ["the number of a process", /\b(pid|process|task|tid|running|paused) +\d+/g, "$1 N"],
  ["the version of QEMU", /\bQEMU \d+\.\d+\.\d+/g, "QEMU V"],
  ["how long something took, and for how long something is so", /\b\d+ min( \d+ s)?\b|\b\d+(\.\d+)? (m?s)\b/g, "N s"],
  ["an amount that is no whole number: what a guest or a process uses", /\b\d+\.\d+([KMG]iB)\b/g, "N$1"],
  ["what a guest says it uses", /\b\d+MiB(?= that the guest says it uses)|(?<=at least )\d+MiB(?=, or --force)/g, "NMiB"],
  ["the CPUs of the host", /\b0(-\d+)?(?= -> )|(?<= -> all +)0(-\d+)?(?= )/g, "CPUS"],
  ["what the host's resolver says of a name", /(Could not resolve hostname \S+): .*/g, "$1: WHY"],
  ["the width of a column", / {2,}/g, "  "],
  ["blanks at the end of a line", / +$/gm, ""],
];

/**
 * A session with placeholders for all that varies. What is said of the host's memory is left out: a recording has no process that uses any.
 */
export function alike(text: string): string {
  return VARIES.reduce((said, [, where, placeholder]) => said.replaceAll(where, placeholder), withoutHost(text));
}

/** A session without the column `host` of its tables, and without the lines about the host. Cells stand two blanks apart. */
function withoutHost(text: string): string {
  let column = -1;
  let cells = 0;
  const lines = text.split("\n").filter((line) => !/^(host|cgroup): /.test(line));
  return lines
    .map((line) => {
      const row = line.trimEnd().split(/ {2,}/);
      if (/^resource {2}/.test(line)) [column, cells] = [row.indexOf("host"), row.length];
      // The last cell may be empty.
      const isRow = column >= 0 && row.length >= cells - 1 && row.length > column;
      if (!isRow) column = -1;
      return isRow ? row.toSpliced(column, 1).join("  ") : line;
    })
    .join("\n");
}
