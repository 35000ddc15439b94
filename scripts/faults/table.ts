import type { Outcome } from "./run.ts";

/** Prints a table of faults and steps for each machine, and for each task on it. `2/2` means tried twice and held twice. */
export function printTables(outcomes: readonly Outcome[]): void {
  printTable(outcomes.filter(({ task }) => task === undefined));
  for (const name of new Set(outcomes.flatMap(({ task }) => task ?? [])))
    printTable(outcomes.filter(({ task }) => task === name).map((outcome) => ({ ...outcome, machine: `${outcome.machine}, ${name}` })));
}

function printTable(outcomes: readonly Outcome[]): void {
  const steps = [...new Set(outcomes.map(({ step }) => step))];
  for (const machine of new Set(outcomes.map((outcome) => outcome.machine))) {
    const own = outcomes.filter((outcome) => outcome.machine === machine);
    const rows = [...new Set(own.map(({ fault }) => fault))].map((fault) => [
      fault,
      ...steps.map((step) => cell(own.filter((it) => it.fault === fault && it.step === step))),
    ]);
    const lines = [[machine, ...steps], ...rows];
    const widths = steps.map((_, column) => Math.max(...lines.map((line) => line[column + 1]?.length ?? 0)));
    const first = Math.max(...lines.map(([name = ""]) => name.length));
    console.log("");
    for (const [name = "", ...cells] of lines)
      console.log([name.padEnd(first), ...cells.map((text, column) => text.padEnd(widths[column] ?? 0))].join("  ").trimEnd());
  }
}

function cell(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return "·";
  const tried = outcomes.filter(({ result }) => result !== "not reached");
  if (tried.length === 0) return "–";
  return `${tried.filter(({ result }) => result === "held").length}/${tried.length}`;
}
