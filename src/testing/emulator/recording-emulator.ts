#!/usr/bin/env node
/*
 * A recorded QEMU: takes QEMU's command line, starts the real one that QMPCTL_RECORD_EMULATOR names, stands between clients and its
 * monitors, and writes what they say to the file or folder that QMPCTL_RECORD names. In this way whole runs of a program are recorded.
 */
import process, { argv, env, exit, kill, pid } from "node:process";
import { couldNotStart, daemonReady } from "./daemon.ts";
import { EmulatorRefusal, readEmulatorOptions } from "./emulator-options.ts";

const [, , ...args] = argv;
// This process outlives its QEMU until everything is written. It must not be taken for that QEMU because of the words on its command line.
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
