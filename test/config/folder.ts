import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Folders } from "../../src/config/folders.ts";

/** A folder of the test's own, removed after it; its real path. */
export async function ownFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "qmpctl-test-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A config, a run-time and a state folder of the test's own; they are not there yet. */
export async function ownFolders(): Promise<Folders> {
  const folder = await ownFolder();
  return { config: join(folder, "etc"), runtime: join(folder, "run"), state: join(folder, "state") };
}
