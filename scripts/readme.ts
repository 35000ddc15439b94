#!/usr/bin/env -S npx tsx
/**
 * Runs the README's session on real QEMU with the testbed's Linux guest, and writes the real output into the README.
 * `npm run record -- readme` records the session. The tests replay it, so they fail if the README shows other output than the program's.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { installed, killDaemon, testbedFolder } from "./lab/machine.ts";
import { alike, play, README, sessionOf, type Shown } from "./scenarios/readme.ts";
import { openRealStage } from "./scenarios/real.ts";

const HELP = `usage: npm run readme -- [--write] [--emulator PATH]

Runs the README's session on real QEMU (default: 10.0 of the testbed) and prints every output that differs. --write puts the real output
into the README.
Exit code: 0 no difference (or written), 1 differences, 2 usage.
`;

async function run(emulator: string, session: readonly Shown[]): Promise<readonly Shown[]> {
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
    // With the name that the session uses.
    await writeFile(at("emulator/qemu-system-x86_64"), `#!/bin/sh\nexec '${emulator}' "$@"\n`, { mode: 0o755 });
    await using stage = await openRealStage({}, { ...machine, emulator: at("emulator/qemu-system-x86_64") }, 0);
    return await play(stage, session);
  } finally {
    await killDaemon(at("run/web1/pid"));
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { write: { type: "boolean" }, emulator: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    stdout.write(HELP);
    return 0;
  }
  const emulator = values.emulator ?? (await newest());
  const page = await readFile(README, "utf8");
  const session = sessionOf(page);
  const told = await run(emulator, session);
  let text = page;
  let differences = 0;
  for (const [position, { command, said }] of told.entries()) {
    const shown = session[position]?.said ?? "";
    if (alike(said) === alike(shown)) continue;
    differences += 1;
    stdout.write(`$ ${command}\n${said}\n\n`);
    const old = `$ ${command}\n${shown === "" ? "" : `${shown}\n`}`;
    text = text.replaceAll(old, () => `$ ${command}\n${said === "" ? "" : `${said}\n`}`);
  }
  stdout.write(`${told.length} commands, ${differences} with other output than in the README\n`);
  if (values.write === true && text !== page) await writeFile(README, text);
  return differences === 0 || values.write === true ? 0 : 1;
}

async function newest(): Promise<string> {
  const path = join(testbedFolder(), "qemu", "bin", "qemu-system-x86_64-trixie");
  return readFile(path).then(
    () => path,
    async () => (await installed()).binary,
  );
}

try {
  exit(await main());
} catch (error) {
  stderr.write(`readme: ${error instanceof Error ? error.message : String(error)}\n`);
  exit(error instanceof TypeError ? 2 : 1);
}
