#!/usr/bin/env -S npx tsx
/** Measures what the project promises of its speed, each figure against something bare in the same run. */
import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { conversationRows } from "./bench/conversation.ts";
import { crowdRows } from "./bench/crowd.ts";
import { engineRows } from "./bench/engine.ts";
import { floodRows } from "./bench/flood.ts";
import type { Row } from "./bench/measure.ts";
import { peerRows } from "./bench/peers.ts";
import { pythonRows } from "./bench/python-peer.ts";
import { startUpRows } from "./bench/start-up.ts";
import { installed, type Qemu, qemus } from "./lab/machine.ts";

const GROUPS: ReadonlyMap<string, (qemu: Qemu) => Promise<readonly Row[]>> = new Map([
  ["start-up", startUpRows],
  ["conversation", conversationRows],
  ["engine", engineRows],
  ["flood", floodRows],
  ["crowd", crowdRows],
]);

const HELP = `usage: npm run bench -- [options] [GROUP...]

Prints a table of measured figures; every ratio is taken within this run. Groups: ${[...GROUPS.keys()].join(" ")} (default: all).

  --qemu SUITE   which QEMU: installed (default), or one that npm run testbed fetched, as trixie
  --peer DIR     compare with the npm package node-qemu too, which is installed in DIR
  --python DIR   compare with QEMU's own Python client too, whose package \`qemu\` is in DIR (python/ of QEMU's source)
  --check        exit with 1 when a goal is missed
  --help`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      qemu: { type: "string" },
      peer: { type: "string" },
      python: { type: "string" },
      check: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return (console.log(HELP), 0);
  const unknown = positionals.filter((name) => !GROUPS.has(name));
  if (unknown.length > 0) return (console.error(`no such group: ${unknown.join(" ")}\n${HELP}`), 2);
  const qemu = values.qemu === undefined ? await installed() : (await qemus()).find(({ suite }) => suite === values.qemu);
  if (qemu === undefined) return (console.error(`no QEMU of ${values.qemu} here: npm run testbed`), 2);

  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}, QEMU ${qemu.version}\n`,
  );
  const rows: Row[] = [];
  for (const [name, measure] of GROUPS) if (positionals.length === 0 || positionals.includes(name)) rows.push(...(await measure(qemu)));
  if (values.peer !== undefined) rows.push(...(await peerRows(qemu, values.peer)));
  if (values.python !== undefined) rows.push(...(await pythonRows(qemu, values.python)));
  printTable(rows);
  return values.check && rows.some(({ reached }) => !reached) ? 1 : 0;
}

function printTable(rows: readonly Row[]): void {
  const head = ["work", "ours", "against", "ratio", "goal", ""];
  const lines = [
    head,
    ...rows.map((row) => [row.work, row.ours, row.against, row.ratio, row.goal, row.goal && (row.reached ? "reached" : "MISSED")]),
  ];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}
