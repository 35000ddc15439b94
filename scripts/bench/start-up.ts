import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launch, privateFolder, type Qemu } from "../lab/machine.ts";
import { compare, milliseconds, type Row, timed, times } from "./measure.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;
const ROUNDS = 15;

/** How long a person waits: the command line on a running domain, and the package in somebody's program. */
export async function startUpRows(qemu: Qemu): Promise<readonly Row[]> {
  const rows: Row[] = [];
  await using machine = await launch(qemu.binary, ["-machine", "q35,accel=tcg", "-m", "256M", "-device", "virtio-balloon-pci", "-S"]);
  await using folder = await privateFolder();
  const env = { ...process.env, QMPCTL_RUNTIME_DIR: join(folder.path, "run"), QMPCTL_CONFIG_DIR: join(folder.path, "config") };
  for (const verb of [
    ["info", machine.address],
    ["vcpupin", machine.address, "0", "0"],
  ]) {
    const { ours, against, ratio } = await compare(ROUNDS, node([join(DIST, "cli/main.js"), ...verb], env), node(["-e", "0"], env));
    rows.push({
      work: `qmpctl ${verb[0]} on a running domain`,
      ours: milliseconds(ours),
      against: `node -e 0: ${milliseconds(against)}`,
      ratio: times(ratio),
      goal: "below 2",
      reached: ratio < 2,
    });
  }
  rows.push(await importRow(folder.path));
  return rows;
}

async function importRow(folder: string): Promise<Row> {
  const empty = join(folder, "empty.mjs");
  const whole = join(folder, "whole.mjs");
  await writeFile(empty, "");
  await writeFile(whole, `import ${JSON.stringify(join(DIST, "index.js"))};\n`);
  const { ours, against, ratio } = await compare(ROUNDS, node([whole]), node([empty]));
  return {
    work: "import of the package",
    ours: `${milliseconds(ours - against)} more`,
    against: `empty module: ${milliseconds(against)}`,
    ratio: times(ratio),
    goal: "under 40 ms more",
    reached: ours - against < 40,
  };
}

function node(args: readonly string[], env: NodeJS.ProcessEnv = process.env): () => Promise<number> {
  return () => timed(() => execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env }));
}
