/// <reference lib="esnext.disposable" />
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { killDaemon } from "../lab/machine.ts";
import { openRealStage } from "../scenarios/real.ts";
import type { Shown } from "./console.ts";
import { type Beginning, play } from "./play.ts";

/** Runs a session on a real QEMU with the testbed's Linux guest. Resolves with the real outputs. */
export async function playReal(emulator: string, session: readonly Shown[], beginning: Beginning): Promise<readonly Shown[]> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const at = (name: string): string => join(folder, name);
  const machine = {
    emulator,
    folder,
    env: { QMPCTL_CONFIG_DIR: at("config"), QMPCTL_RUNTIME_DIR: at("run"), QMPCTL_STATE_DIR: at("machines") },
  };
  try {
    await mkdir(machine.env.QMPCTL_CONFIG_DIR, { mode: 0o700 });
    await mkdir(at("emulator"));
    // With the name that sessions use, which must not lead back to itself.
    const path = emulator.includes("/") ? emulator : (await promisify(execFile)("which", [emulator])).stdout.trim();
    await writeFile(at("emulator/qemu-system-x86_64"), `#!/bin/sh\nexec '${path}' "$@"\n`, { mode: 0o755 });
    await using stage = await openRealStage({}, { ...machine, emulator: at("emulator/qemu-system-x86_64") }, 0);
    return await play(stage, session, beginning);
  } finally {
    await killDaemon(at("run/web1/pid"));
    await rm(folder, { recursive: true, force: true });
  }
}
