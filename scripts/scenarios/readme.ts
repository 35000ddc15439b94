import { strictEqual as equal } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { env, execPath } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Scenarios } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** A command in the README, and its output on both streams. */
export interface Shown {
  readonly command: string;
  readonly said: string;
}

/** The page with the session. */
export const README: string = fileURLToPath(new URL("../../README.md", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The folders that the README shows in place of the session's own. */
const SHOWN_WORK = "/srv/web1";

/** How long the guest may take to boot, in milliseconds. */
const BOOT = 60_000;

/** The session of a page: its `console` blocks from top to bottom. A block that repeats a part of a longer one does not count. */
export function sessionOf(page: string): readonly Shown[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text = ""]) => shownIn(text));
  const isIn = (shown: Shown, block: readonly Shown[]): boolean =>
    block.some(({ command, said }) => command === shown.command && said === shown.said);
  return blocks
    .filter((block) => !blocks.some((other) => other.length > block.length && block.every((shown) => isIn(shown, other))))
    .flat();
}

function shownIn(block: string): readonly Shown[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = "", ...said] = text.trimEnd().split("\n");
      return { command, said: said.join("\n").trimEnd() };
    });
}

/** Runs a session on a stage's machine. Resolves with the real output of each command. */
export async function play(stage: Stage, session: readonly Shown[]): Promise<readonly Shown[]> {
  const work = join(stage.folder, "work");
  const programs = join(stage.folder, "bin");
  await Promise.all([work, programs].map((path) => mkdir(path, { recursive: true })));
  await writeFile(join(programs, "qmpctl"), `#!/bin/sh\nexec '${execPath}' '${PROGRAM}' "$@"\n`, { mode: 0o755 });
  // The files that the session shows with `cat`.
  for (const { command, said } of session) {
    const name = /^cat (\S+)$/.exec(command)?.[1];
    if (name !== undefined) await writeFile(join(work, name), `${said}\n`);
  }
  for (const [name, path] of Object.entries(stage.guestFiles))
    await (path === null ? writeFile(join(work, name), "") : copyFile(path, join(work, name)));
  // The session has its own machine, not the stage's.
  await rm(join(stage.options.configDir ?? "", `${stage.domain.name}.json`));
  const variables = { ...env, ...stage.variables, PATH: `${programs}:${dirname(stage.emulator)}:${env["PATH"] ?? ""}` };
  const told: Shown[] = [];
  for (const { command } of session) {
    const child = spawn("sh", ["-c", `${command}\n`], { cwd: work, env: variables, stdio: ["ignore", "pipe", "pipe"] });
    const pieces: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => pieces.push(text));
    await once(child, "close");
    told.push({ command, said: asShown(pieces.join(""), stage, work).trimEnd() });
    if (/\bqmpctl start\b/.test(command)) await booted(join(work, "web1.log"), stage);
  }
  return told;
}

/** Reads the guest's serial line until the guest is up. A recorded guest is up at once. */
async function booted(log: string, { guestFiles }: Stage): Promise<void> {
  if (Object.values(guestFiles).includes(null)) return;
  for (const end = performance.now() + BOOT; !(existsSync(log) && (await readFile(log, "utf8")).includes("GUEST-READY")); await wait(100)) {
    if (performance.now() > end) throw new Error(`the guest was not up after ${BOOT / 1000} s`);
  }
  // From then on its balloon reports every few seconds.
  await wait(2000);
}

function asShown(text: string, { options, folder }: Stage, work: string): string {
  return text
    .replaceAll(work, SHOWN_WORK)
    .replaceAll(options.configDir ?? "", "/etc/qmpctl")
    .replaceAll(join(folder, "run"), "/run/qmpctl")
    .replaceAll(folder, "/run/qmpctl");
}

/**
 * Replaces what differs from run to run and from host to host: ids, processes, times, the guest's use, the number of CPUs. What is said of
 * the host's memory is left out: a recording has no process that uses any.
 */
export function alike(text: string): string {
  return withoutHost(text)
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "ID")
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\b(pid|process) \d+/g, "$1 N")
    .replaceAll(/\b\d+(\.\d+)? (m?s)\b/g, "N s")
    .replaceAll(/\b\d+\.\d+([KMG]iB)\b/g, "N$1")
    .replaceAll(/\b0(-\d+)?(?= -> )|(?<= -> all +)0(-\d+)?(?= )/g, "CPUS")
    .replaceAll(/ {2,}/g, "  ")
    .replaceAll(/ +$/gm, "");
}

/** A session without the column `host` of its tables, and without the lines about the host. Cells stand two blanks apart. */
function withoutHost(text: string): string {
  let column = -1;
  let cells = 0;
  const lines = text.split("\n").filter((line) => !/^(host|cgroup): /.test(line));
  return lines
    .map((line) => {
      const row = line.trimEnd().split(/ {2,}/);
      if (/^resource {2}/.test(line)) [column, cells] = [row.indexOf("host"), row.length];
      // The last cell may be empty.
      const isRow = column >= 0 && row.length >= cells - 1 && row.length > column;
      if (!isRow) column = -1;
      return isRow ? row.toSpliced(column, 1).join("  ") : line;
    })
    .join("\n");
}

/** The README's session as a scenario. */
export const readme: Scenarios = {
  readme: {
    tells: "the README's session has the output that the README shows",
    through: "program",
    play: async (stage) => {
      const wanted = sessionOf(await readFile(README, "utf8"));
      const told = await play(stage, wanted);
      const text = (session: readonly Shown[]): string => session.map(({ command, said }) => alike(`$ ${command}\n${said}\n`)).join("\n");
      equal(text(told), text(wanted));
    },
  },
};
