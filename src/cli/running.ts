import type { Adoption } from "../domain/lifecycle/running/adopt.ts";
import { titleOf, whose } from "../domain/lifecycle/running/advice.ts";
import type { RunningQemu } from "../domain/lifecycle/running/running-qemu.ts";
import { EXIT } from "./exit-code.ts";
import { noteLine, painter, type Style, table } from "./output.ts";
import type { Io } from "./verb.ts";

/** What is said where no QEMU runs. */
export const NO_QEMU = "no QEMU is seen to run";

/** QEMUs as a table. `hosts`: where each runs, for the first column. */
export function showRunning(all: readonly RunningQemu[], io: Io, hosts?: readonly string[]): string {
  const at = hosts === undefined ? 0 : 1;
  const rows = all.map((each, index) => [
    ...(hosts === undefined ? [] : [hosts[index] ?? ""]),
    String(each.pid),
    whose(each),
    each.name ?? "-",
    each.keeper === null ? "nobody" : `${titleOf(each.keeper).replace(/^a /, "")}${each.isSure ? "" : "?"}`,
    monitorOf(each),
    each.advice,
  ]);
  const header = [...(at === 0 ? [] : ["at"]), "pid", "user", "name", "kept by", "QMP", "what can be done"];
  return table(rows, { header, right: [at], titles: 3 + at, paint: painter(io.stdout, io.env), columns: io.stdout.columns });
}

/** Whether it can be asked. */
function monitorOf({ monitors }: RunningQemu): string {
  if (monitors.length === 0) return "none";
  return (["free", "held"] as const).find((state) => monitors.some((each) => each.state === state)) ?? "unseen";
}

const OUTCOMES: Readonly<Record<Adoption["outcome"], Style>> = {
  adopted: "green",
  planned: "green",
  left: "dim",
  refused: "yellow",
  failed: "red",
};

/** What became of each QEMU of the host. */
export function showAdoptions(all: readonly Adoption[], io: Io): string {
  const { columns } = io.stdout;
  const rows = all.map(({ pid, name, outcome, why, path }) => [
    String(pid),
    name,
    { text: outcome, style: OUTCOMES[outcome] },
    why ?? path ?? "",
  ]);
  const lines = table(rows, {
    header: ["pid", "name", "outcome", "why, or its config"],
    right: [0],
    titles: 2,
    paint: painter(io.stdout, io.env),
    columns,
  });
  const notes = all.flatMap(({ name, notes: each }) => each.map((note) => noteLine(`${name}: ${note}`, columns)));
  return [lines, ...notes].join("");
}

/** The exit code of `define --running`: what was left to others was not asked for. */
export function exitCodeOfAdoptions(all: readonly Adoption[]): number {
  const wrong = all.filter(({ outcome }) => outcome === "refused" || outcome === "failed");
  if (wrong.length === 0) return EXIT.done;
  const isTouched = all.some(({ outcome }) => outcome === "adopted") || wrong.some(({ outcome }) => outcome === "failed");
  return isTouched ? EXIT.failed : EXIT.refused;
}
