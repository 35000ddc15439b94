#!/usr/bin/env -S npx tsx
/**
 * Runs the console examples of pages on real QEMU with the testbed's Linux guest, and writes the real output into them.
 * `npm run record -- page-NAME` records their sessions. The tests replay them, so they fail if a page shows other output than the
 * program's.
 */
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { installed, killDaemon, testbedFolder } from "./lab/machine.ts";
import { alike } from "./pages/alike.ts";
import { type Shown, withOutputs } from "./pages/console.ts";
import { type Beginning, play } from "./pages/play.ts";
import { PAGES, pathOf, readPage, recordedOf, underHeading } from "./pages/table.ts";
import { openRealStage } from "./scenarios/real.ts";

const HELP = `usage: npm run pages -- [--write] [--emulator PATH] [PAGE...]

Runs the console examples of pages (default: all) on real QEMU (default: 10.0 of the testbed) and prints every output that differs.
--write puts the real output into the page.
Exit code: 0 no difference (or written), 1 differences, 2 usage.
`;

async function run(emulator: string, session: readonly Shown[], beginning: Beginning): Promise<readonly Shown[]> {
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
    // With the name that sessions use.
    await writeFile(at("emulator/qemu-system-x86_64"), `#!/bin/sh\nexec '${emulator}' "$@"\n`, { mode: 0o755 });
    await using stage = await openRealStage({}, { ...machine, emulator: at("emulator/qemu-system-x86_64") }, 0);
    return await play(stage, session, beginning);
  } finally {
    await killDaemon(at("run/web1/pid"));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with how many commands of a page say something else. */
async function tried(page: string, emulator: string, isWritten: boolean): Promise<number> {
  let text = await readPage(page);
  const { recorded, real = {} } = PAGES[page] ?? {};
  const parts: (readonly [readonly Shown[], Beginning])[] = Object.entries(real).map(([heading, begin]) => [
    underHeading(text, heading),
    begin,
  ]);
  if (recorded !== undefined) parts.push([recordedOf(page, text), recorded.beginning]);
  let differences = 0;
  for (const [session, beginning] of parts) {
    const told = await run(emulator, session, beginning);
    const isOther = ({ said }: Shown, position: number): boolean => alike(said) !== alike(session[position]?.said ?? "");
    const others = told.filter(isOther);
    for (const { command, said } of others) stdout.write(`$ ${command}\n${said}\n\n`);
    stdout.write(`${page}: ${told.length} commands, ${others.length} with other output than shown\n`);
    differences += others.length;
    text = withOutputs(
      text,
      session.filter((_, at) => isOther(told[at] as Shown, at)),
      others,
    );
  }
  if (isWritten && differences > 0) await writeFile(pathOf(page), text);
  return differences;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv.slice(2),
    allowPositionals: true,
    options: { write: { type: "boolean" }, emulator: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    stdout.write(HELP);
    return 0;
  }
  const unknown = positionals.filter((page) => PAGES[page] === undefined);
  if (unknown.length > 0) throw new TypeError(`no such page: ${unknown.join(", ")}; there are ${Object.keys(PAGES).join(", ")}`);
  const emulator = values.emulator ?? (await newestEmulator());
  let differences = 0;
  for (const page of positionals.length > 0 ? positionals : Object.keys(PAGES))
    differences += await tried(page, emulator, values.write === true);
  return differences === 0 || values.write === true ? 0 : 1;
}

async function newestEmulator(): Promise<string> {
  const path = join(testbedFolder(), "qemu", "bin", "qemu-system-x86_64-trixie");
  return access(path).then(
    () => path,
    async () => (await installed()).binary,
  );
}

try {
  exit(await main());
} catch (error) {
  stderr.write(`pages: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  exit(error instanceof TypeError ? 2 : 1);
}
