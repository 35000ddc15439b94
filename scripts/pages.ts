#!/usr/bin/env -S npx tsx
/**
 * Runs the console examples of pages on real QEMU with the testbed's Linux guest, and writes the real output into them.
 * `npm run record -- page-NAME` records their sessions. The tests replay them, so they fail if a page shows other output than the
 * program's.
 */
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { installed, testbedFolder } from "./lab/machine.ts";
import { alike } from "./pages/alike.ts";
import { type Shown, withOutputs } from "./pages/console.ts";
import { openPageHosts } from "./pages/play-hosts.ts";
import { playReal } from "./pages/play-real.ts";
import type { Beginning } from "./pages/play.ts";
import { PAGES, pathOf, readPage, recordedOf, underHeading } from "./pages/table.ts";

const HELP = `usage: npm run pages -- [--write] [--emulator PATH] [PAGE...]

Runs the console examples of pages (default: all) on real QEMU (default: 10.0 of the testbed) and prints every output that differs.
--write puts the real output into the page.
Exit code: 0 no difference (or written), 1 differences, 2 usage.
`;

/** Resolves with how many commands of a page say something else. */
async function tried(page: string, emulator: string, isWritten: boolean): Promise<number> {
  let text = await readPage(page);
  const { recorded, real = {}, hosts = [] } = PAGES[page] ?? {};
  const parts: [readonly Shown[], () => Promise<readonly Shown[]>][] = [];
  const add = (session: readonly Shown[], beginning: Beginning | "hosts"): void =>
    void parts.push([session, () => (beginning === "hosts" ? playOnHosts(session) : playReal(emulator, session, beginning))]);
  for (const [heading, beginning] of Object.entries(real)) add(underHeading(text, heading), beginning);
  for (const heading of hosts) add(underHeading(text, heading), "hosts");
  if (recorded !== undefined) add(recordedOf(page, text), recorded.beginning);
  let differences = 0;
  for (const [session, playIt] of parts) {
    const told = await playIt();
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

async function playOnHosts(session: readonly Shown[]): Promise<readonly Shown[]> {
  await using hosts = await openPageHosts();
  return await hosts.play(session);
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
