#!/usr/bin/env -S npx tsx
/** Measures what the project promises of its speed, each figure against something bare in the same run. */
import { execFile } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { parseArgs, promisify } from "node:util";
import { balanceRows } from "./bench/balance.ts";
import { conversationRows } from "./bench/conversation.ts";
import { crowdRows } from "./bench/crowd.ts";
import { engineRows } from "./bench/engine.ts";
import { floodRows } from "./bench/flood.ts";
import type { Row } from "./bench/measure.ts";
import { peerRows } from "./bench/peers.ts";
import { pythonRows } from "./bench/python-peer.ts";
import { remoteRows } from "./bench/remote.ts";
import { type StartUpOptions, startUpRows } from "./bench/start-up.ts";
import { topRows } from "./bench/top.ts";
import { installed, type Qemu, qemus } from "./lab/machine.ts";

const GROUPS: ReadonlyMap<string, (qemu: Qemu, options: StartUpOptions) => Promise<readonly Row[]>> = new Map([
  ["start-up", startUpRows],
  ["conversation", conversationRows],
  ["engine", engineRows],
  ["flood", floodRows],
  ["crowd", crowdRows],
  ["top", topRows],
  ["remote", remoteRows],
  ["balance", balanceRows],
]);

const HELP = `usage: npm run bench -- [options] [GROUP...]

Prints a table of measured figures; every ratio is taken within this run. Groups: ${[...GROUPS.keys()].join(" ")} (default: all).
remote takes root, and hosts as npm run testbed -- --install --hosts prepares them; Ansible and libvirt where they are installed.
balance is a simulation of guests, four minutes long.

  --qemu SUITE   which QEMU: installed (default), or one that npm run testbed fetched, as trixie
  --peer DIR     compare with the npm package node-qemu too, which is installed in DIR
  --python DIR   compare with QEMU's own Python client too, whose package \`qemu\` is in DIR (python/ of QEMU's source)
  --node PATH    start-up, remote: the Node that runs qmpctl and what it is held against (default: this one)
  --pairs N      start-up, remote: how many pairs of each (default: 31)
  --tolerance X  start-up, remote: a goal counts as reached up to X times itself (default: 1)
  --check        exit with 1 when a goal is missed
  --help`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      qemu: { type: "string" },
      peer: { type: "string" },
      python: { type: "string" },
      node: { type: "string" },
      pairs: { type: "string", default: "31" },
      tolerance: { type: "string", default: "1" },
      check: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return (console.log(HELP), 0);
  const unknown = positionals.filter((name) => !GROUPS.has(name));
  if (unknown.length > 0) return (console.error(`no such group: ${unknown.join(" ")}\n${HELP}`), 2);
  const qemu = values.qemu === undefined ? await installed() : (await qemus()).find(({ suite }) => suite === values.qemu);
  if (qemu === undefined) return (console.error(`no QEMU of ${values.qemu} here: npm run testbed`), 2);

  const [pairs, tolerance] = [Number(values.pairs), Number(values.tolerance)];
  if (!Number.isSafeInteger(pairs) || pairs < 1 || !(tolerance >= 1))
    return (console.error(`--pairs takes a whole number from 1, --tolerance a number from 1\n${HELP}`), 2);

  console.log(
    `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${await versionOf(values.node)}, QEMU ${qemu.version}\n`,
  );
  const rows: Row[] = [];
  for (const [name, measure] of GROUPS)
    if (positionals.length === 0 || positionals.includes(name))
      rows.push(...(await measure(qemu, { node: values.node, pairs, tolerance })));
  if (values.peer !== undefined) rows.push(...(await peerRows(qemu, values.peer)));
  if (values.python !== undefined) rows.push(...(await pythonRows(qemu, values.python)));
  printTable(rows);
  return values.check && rows.some(({ reached }) => !reached) ? 1 : 0;
}

/** The version of the Node that is measured, as `22.1.0`. */
async function versionOf(node: string | undefined): Promise<string> {
  if (node === undefined) return process.versions.node;
  return (await promisify(execFile)(node, ["--print", "process.versions.node"])).stdout.trim();
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
