#!/usr/bin/env -S npx tsx
/** Writes src/schema/generated/ from fixtures/schema/, or the types of one QEMU into one file. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "../src/qmp/session.ts";
import { spawnQemu } from "../src/qmp/spawn.ts";
import { type Files, generateFiles } from "../src/schema/typegen/files.ts";
import { typesOf } from "../src/schema/typegen/own.ts";
import { readRecordings, releaseOf } from "./schema/recording.ts";

const GENERATED = new URL("../src/schema/generated", import.meta.url).pathname;

const HELP = `usage: npm run generate -- [--check] [--into DIR]
   or: npm run generate -- --from EMULATOR|SOCKET [--out FILE]

Writes the types of all recorded QEMUs (fixtures/schema/) into src/schema/generated/. \`npm run record:schema\` records.

  --check        write nothing; fail if a file differs from what would be written
  --into DIR     the folder of the files (default: src/schema/generated)
  --from WHAT    print the types of one QEMU: a program, or the monitor socket of a running one
  --out FILE     the file to write to (default: stdout)
  --help

Exit code: 0 written or up to date, 1 failed or out of date, 2 usage.`;

async function generate(): Promise<Files> {
  const recordings = await readRecordings();
  return generateFiles(recordings.map(({ qemu, arch, introspection }) => ({ version: releaseOf(qemu), arch, schema: introspection })));
}

/** The files that differ from what would be written. */
async function differing(files: Files, folder: string): Promise<readonly string[]> {
  const there = await readdir(folder).catch(() => []);
  const names = [...new Set([...there, ...files.keys()])].sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8").catch(() => undefined)));
  return names.filter((name, index) => texts[index] !== files.get(name));
}

async function write(files: Files, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) if (!files.has(name)) await rm(join(folder, name));
  for (const [name, text] of files) await writeFile(join(folder, name), text);
}

async function main(args: readonly string[]): Promise<number> {
  const options = {
    check: { type: "boolean" },
    into: { type: "string" },
    from: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.from !== undefined) return ofOne(values.from, values.out);
  const files = await generate();
  const folder = values.into ?? GENERATED;
  if (!values.check) {
    await write(files, folder);
    return 0;
  }
  const stale = await differing(files, folder);
  if (stale.length > 0) console.error(`${folder}: out of date with fixtures/schema: ${stale.join(", ")}; \`npm run generate\` writes them`);
  return stale.length > 0 ? 1 : 0;
}

async function ofOne(from: string, out: string | undefined): Promise<number> {
  const isSocket = await stat(from).then(
    (it) => it.isSocket(),
    () => false,
  );
  const text = isSocket ? await ofMonitor(`unix:${resolve(from)}`) : await ofEmulator(from);
  if (out === undefined) process.stdout.write(text);
  else await writeFile(out, text);
  return 0;
}

async function ofMonitor(address: string): Promise<string> {
  await using session = await connect(address);
  return await typesOf((command) => session.execute(command));
}

async function ofEmulator(emulator: string): Promise<string> {
  await using qemu = await spawnQemu(emulator, ["-machine", "none", "-display", "none", "-nodefaults", "-no-user-config", "-S"]);
  return await typesOf((command) => qemu.session.execute(command));
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`generate: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}
