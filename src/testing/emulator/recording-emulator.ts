#!/usr/bin/env node
/*
 * A QEMU that is recorded: takes QEMU's command line, starts the real one that QMPCTL_RECORD_EMULATOR names with it, stands between
 * clients and its monitors, and writes what they say to the file or folder that QMPCTL_RECORD names. So whole runs of a product are
 * recorded.
 */
import process, { argv, env, exit, kill, pid } from "node:process";
import { couldNotStart, daemonReady } from "./daemon.ts";
import { EmulatorRefusal, readEmulatorOptions } from "./emulator-options.ts";

const [, , ...args] = argv;
// It outlives its QEMU until all is written, and must not be taken for that one by words that are QEMU's.
process.title = "qemu-recording-emulator";

async function main(): Promise<number> {
  const [binary, into] = [env["QMPCTL_RECORD_EMULATOR"] ?? "qemu-system-x86_64", env["QMPCTL_RECORD"]];
  if (into === undefined) throw new EmulatorRefusal("QMPCTL_RECORD names no file or folder to record to");
  const options = readEmulatorOptions(args);
  const { recordRun } = await import("./recorded-run.ts");
  const run = await recordRun(binary, args, options, into);
  daemonReady();
  const { status, signal } = await run.ended;
  if (signal !== null) kill(pid, signal);
  return status;
}

try {
  exit(await main());
} catch (error) {
  couldNotStart(error instanceof EmulatorRefusal ? error.message : `recording-emulator: ${String(error)}`);
  exit(1);
}
