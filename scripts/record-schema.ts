#!/usr/bin/env -S npx tsx
/** Records how real QEMUs describe their commands, to fixtures/schema/VERSION_ARCH.json. */
import { access, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { spawnQemu } from "../src/qmp/spawn.ts";
import { normalise } from "./schema/normalise.ts";
import { fetchOtherMachines } from "./schema/other-machines.ts";
import { RECORDINGS, releaseOf, writeRecording } from "./schema/recording.ts";

const HELP = `usage: npm run record:schema -- [options] [EMULATOR...]

Records query-qmp-schema of each EMULATOR into fixtures/schema/VERSION_ARCH.json, replacing an older recording of the same release.
Default: qemu-system-x86_64 of the PATH, those of the testbed (npm run testbed), and QEMU 7.2 for aarch64, ppc64 and s390x, which this
fetches into the testbed without installing them.

  --dir DIR      the testbed (default: $QMPCTL_TESTBED, else .testbed in the project)
  --out DIR      the folder to write to (default: fixtures/schema)
  --mirror URL   the Debian mirror (default: the one in this host's apt sources)
  --help

Exit code: 0 all recorded, 1 failed, 2 usage.`;

async function recordedEmulators(testbed: string, mirror: string | undefined): Promise<readonly string[]> {
  const bin = join(testbed, "qemu", "bin");
  await access(bin).catch(() => {
    throw new Error(`${bin} is missing: npm run testbed makes it`);
  });
  const releases = (await readdir(bin)).filter((name) => /^qemu-system-x86_64-\w+$/.test(name)).map((name) => join(bin, name));
  return ["qemu-system-x86_64", ...releases, ...(await fetchOtherMachines(join(testbed, "qemu"), mirror))];
}

/** Records one emulator; returns the file's name. */
async function record(emulator: string, folder: string): Promise<string> {
  await using qemu = await spawnQemu(emulator, ["-machine", "none", "-display", "none", "-nodefaults", "-no-user-config", "-S"], {
    timeout: 20_000,
  });
  const { version } = qemu.session.greeting;
  const { major, minor, micro } = version.qemu;
  const { arch } = await qemu.session.execute("query-target");
  const schema = normalise(await qemu.session.execute("query-qmp-schema"));
  const text = writeRecording({ qemu: `${major}.${minor}.${micro}`, arch, package: version.package, schema });
  const release = releaseOf(`${major}.${minor}`);
  const older = (await readdir(folder)).filter((name) => name.startsWith(`${release}.`) && name.endsWith(`_${arch}.json`));
  await Promise.all(older.map((name) => rm(join(folder, name))));
  const name = `${major}.${minor}.${micro}_${arch}.json`;
  await writeFile(join(folder, name), text);
  return name;
}

async function main(args: readonly string[]): Promise<void> {
  const options = {
    dir: { type: "string" },
    out: { type: "string" },
    mirror: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  if (values.help) return console.log(HELP);
  const testbed = resolve(values.dir ?? process.env["QMPCTL_TESTBED"] ?? new URL("../.testbed", import.meta.url).pathname);
  const folder = values.out ?? RECORDINGS;
  await mkdir(folder, { recursive: true });
  const emulators = positionals.length > 0 ? positionals : await recordedEmulators(testbed, values.mirror);
  for (const emulator of emulators) console.log(`${emulator}: ${await record(emulator, folder)}`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`record-schema: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}
