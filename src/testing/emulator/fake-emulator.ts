#!/usr/bin/env node
/*
 * A fake QEMU: takes QEMU's command line, writes the pidfile, opens the monitors, and answers from a transcript.
 * A launch config names it as its `emulator`, through a script of stand-in.ts. With `-daemonize` the script puts it in the background.
 */
import { writeFileSync } from "node:fs";
import { argv, env, exit, stdout } from "node:process";
import { couldNotStart, daemonReady } from "./daemon.ts";
import { type EmulatorOptions, EmulatorRefusal, readEmulatorOptions } from "./emulator-options.ts";
import { listRuns } from "./runs.ts";

const [, , ...args] = argv;

async function main(): Promise<number> {
  const options = readEmulatorOptions(args);
  const transcripts = listRuns(options.replay ?? env["QMPCTL_REPLAY"] ?? "");
  if (transcripts.length === 0) throw new EmulatorRefusal("nothing to replay: name a transcript in QMPCTL_REPLAY, or with -replay");
  if (options.version) return printVersion(transcripts[0] ?? "");
  return play(options, transcripts);
}

async function printVersion(transcript: string): Promise<number> {
  const { readTranscript } = await import("../transcript/transcript.ts");
  const { provenance } = await readTranscript(transcript);
  stdout.write(`QEMU emulator version ${provenance["qemu"] ?? "unknown"}\n`);
  return 0;
}

async function play(options: EmulatorOptions, transcripts: readonly string[]): Promise<number> {
  const { playRun } = await import("./replayed-run.ts");
  const run = await playRun(options, transcripts);
  if (options.log !== undefined) openLog(options.log);
  daemonReady();
  const status = Number.parseInt(await run.ended, 10);
  return Number.isNaN(status) ? 0 : status;
}

function openLog(path: string): void {
  try {
    writeFileSync(path, "");
  } catch {
    throw new EmulatorRefusal(`Error opening logfile ${path}: No such file or directory`);
  }
}

try {
  exit(await main());
} catch (error) {
  couldNotStart(
    `qemu-system: ${error instanceof EmulatorRefusal ? error.message : String(error)}`.replace(/^qemu-system: (qemu-system[-\w]*: )/, "$1"),
  );
  exit(1);
}
