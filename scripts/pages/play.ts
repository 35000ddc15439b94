import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { env, execPath } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { killDaemon } from "../lab/machine.ts";
import type { Stage } from "../scenarios/stage.ts";
import type { Shown } from "./console.ts";
import { runHere } from "./run-here.ts";

/** The built program. */
export const PROGRAM: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The folder that pages show in place of the session's own. */
const SHOWN_WORK = "/srv/web1";

/** How long a guest may take to boot, in milliseconds. */
const BOOT = 60_000;

/** What is there when a page begins: no domain at all, or one that is called web1, stopped or running. */
export type Beginning = "nothing" | "defined" | "running";

/** Runs a session on a stage's machine. Resolves with the real output of each command. */
export async function play(stage: Stage, session: readonly Shown[], beginning: Beginning): Promise<readonly Shown[]> {
  const work = join(stage.folder, "work");
  const variables = await prepare(stage, session, work);
  if (beginning === "nothing") await rm(join(stage.options.configDir ?? "", `${stage.domain.name}.json`));
  if (beginning === "running") {
    await stage.domain.start();
    await stage.guest.booted();
    await settled(stage);
  }
  const told: Shown[] = [];
  await using _ = { [Symbol.asyncDispose]: () => endOthers(work) };
  for (const shown of session) {
    const { command } = shown;
    const typed = asTyped(command, stage);
    const said = (await runHere(typed, variables)) ?? (await runInShell(typed, work, variables));
    told.push({ ...shown, said: asShown(said, stage, work).trimEnd() });
    if (/\bqmpctl (re)?start\b/.test(command)) await (beginning === "nothing" ? logged(join(work, "web1.log"), stage) : up(stage));
  }
  return told;
}

/** Writes the files that the session works with, and those that it shows with `cat`. Resolves with its variables. */
async function prepare(stage: Stage, session: readonly Shown[], work: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(work, { recursive: true });
  const programs = await programIn(stage.folder);
  for (const { command, said } of session) {
    const name = /^cat (\S+)$/.exec(command)?.[1];
    if (name !== undefined) await writeFile(join(work, name), `${said}\n`, { mode: 0o755 });
  }
  for (const [name, path] of Object.entries(stage.guestFiles))
    await (path === null ? writeFile(join(work, name), "") : copyFile(path, join(work, name)));
  return { ...env, ...stage.variables, PATH: `${programs}:${dirname(stage.emulator)}:${env["PATH"] ?? ""}` };
}

/** Puts the built program where a shell finds it, under its name. Resolves with that folder. */
export async function programIn(folder: string): Promise<string> {
  const programs = join(folder, "bin");
  await mkdir(programs, { recursive: true });
  await writeFile(join(programs, "qmpctl"), `#!/bin/sh\nexec '${execPath}' '${PROGRAM}' "$@"\n`, { mode: 0o755 });
  return programs;
}

/** Runs a line as a shell does, in the session's folder. Resolves with what it says on both streams. */
export async function runInShell(command: string, work: string, variables: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn("sh", ["-c", `${command}\n`], { cwd: work, env: variables, stdio: ["ignore", "pipe", "pipe"] });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => pieces.push(text));
  await once(child, "close");
  return pieces.join("");
}

/** Ends the machines that the session itself has put into the background. */
async function endOthers(work: string): Promise<void> {
  for (const name of await readdir(work)) if (name.endsWith(".pid")) await killDaemon(Number(await readFile(join(work, name), "utf8")));
}

async function up(stage: Stage): Promise<void> {
  await stage.guest.booted();
  await settled(stage);
}

/** Reads the guest's serial line until the guest is up. A recorded guest is up at once. */
async function logged(log: string, stage: Stage): Promise<void> {
  if (isRecorded(stage)) return;
  for (const end = performance.now() + BOOT; !(existsSync(log) && (await readFile(log, "utf8")).includes("GUEST-READY")); await wait(100)) {
    if (performance.now() > end) throw new Error(`the guest was not up after ${BOOT / 1000} s`);
  }
  await settled(stage);
}

/** From when it is up, a guest's balloon reports every few seconds. */
async function settled(stage: Stage): Promise<void> {
  if (!isRecorded(stage)) await wait(2000);
}

function isRecorded({ guestFiles }: Stage): boolean {
  return Object.values(guestFiles).includes(null);
}

/** A command with the session's own folders in place of those that the page shows. */
function asTyped(command: string, { options, folder }: Stage): string {
  return command.replaceAll("/etc/qmpctl", options.configDir ?? "").replaceAll("/run/qmpctl", join(folder, "run"));
}

function asShown(text: string, { options, folder, emulator }: Stage, work: string): string {
  return text
    .replaceAll(emulator, "/usr/bin/qemu-system-x86_64")
    .replaceAll(work, SHOWN_WORK)
    .replaceAll(options.configDir ?? "", "/etc/qmpctl")
    .replaceAll(options.stateDir ?? "", "/run/qmpctl")
    .replaceAll(join(folder, "run"), "/run/qmpctl")
    .replaceAll(folder, "/run/qmpctl");
}
