import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { launch, type Machine, privateFolder, type Qemu } from "../lab/machine.ts";
import type { Row } from "./measure.ts";

const MACHINES = 50;
const AT_ONCE = 4;
/** How long a loaded host may take until each domain was asked once; and what it takes then until what runs often is compiled. */
const PATIENCE = 120_000;
const WARM = 10_000;
/** Long enough for each to be asked several times. */
const MEASURED = 60_000;
/** Of one CPU. */
const GOAL = 0.03;

/** The CPU time of `top` on a terminal of 200 by 50, over the time that goes by, with fifty machines at one frame a second. */
export async function topRows(qemu: Qemu): Promise<readonly Row[]> {
  await using folder = await privateFolder();
  const machines = await launchMany(qemu, folder.path);
  try {
    const { cpu, wall, bytes } = await measure(folder.path);
    const share = cpu / wall;
    return [
      {
        work: `top, ${MACHINES} domains, a frame a second`,
        ours: `${Math.round(cpu)} ms of CPU`,
        against: `${Math.round(wall)} ms went by`,
        ratio: `${(share * 100).toFixed(2)} %`,
        goal: `under ${GOAL * 100} %`,
        reached: share < GOAL,
      },
      {
        work: "top, bytes to the terminal",
        ours: `${Math.round((bytes * 1000) / wall)} a second`,
        against: "",
        ratio: "",
        goal: "",
        reached: true,
      },
    ];
  } finally {
    await Promise.all(machines.map((machine) => machine[Symbol.asyncDispose]()));
  }
}

async function launchMany(qemu: Qemu, folder: string): Promise<readonly Machine[]> {
  await mkdir(join(folder, "config"));
  const machines: Machine[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < MACHINES) {
      const name = `web${++next}`;
      const own = join(folder, name);
      await mkdir(own);
      const args = ["-accel", "tcg", "-device", "virtio-balloon-pci,id=balloon0"];
      machines.push(
        await launch(qemu.binary, ["-name", `guest=${name},debug-threads=on`, "-S", "-m", "16", "-smp", "2", ...args], { folder: own }),
      );
      const memory = { max: "16MiB", current: "16MiB" };
      const config = { name, emulator: qemu.binary, memory, vcpus: { max: 2, current: 2 }, monitor: join(own, "monitor0.sock"), args };
      await writeFile(join(folder, "config", `${name}.json`), JSON.stringify(config));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return machines;
}

const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

async function measure(folder: string): Promise<{ readonly cpu: number; readonly wall: number; readonly bytes: number }> {
  const pidfile = join(folder, "pid");
  const command = `stty cols 200 rows 50; echo $$ > ${pidfile}; exec ${process.execPath} ${PROGRAM} top --every 1s`;
  const env = { ...process.env, TERM: "xterm", LANG: "C.UTF-8", QMPCTL_CONFIG_DIR: join(folder, "config") };
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    env: { ...env, QMPCTL_STATE_DIR: join(folder, "state") },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let bytes = 0;
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    text += chunk.toString();
  });
  const late = performance.now() + PATIENCE;
  while (!text.includes(`${MACHINES} domains: ${MACHINES} paused`)) {
    if (performance.now() > late) throw new Error(`top does not show ${MACHINES} paused domains`);
    await wait(100);
  }
  await wait(WARM);
  const stat = `/proc/${(await readFile(pidfile, "utf8")).trim()}/stat`;
  const [before, begun, drawn] = [await cpuTimeIn(stat), performance.now(), bytes];
  await wait(MEASURED);
  const measured = { cpu: (await cpuTimeIn(stat)) - before, wall: performance.now() - begun, bytes: bytes - drawn };
  child.stdin.write("q");
  await ended;
  return measured;
}

/** User and system time of a process in milliseconds: /proc counts it in ticks of 10. */
async function cpuTimeIn(stat: string): Promise<number> {
  const text = await readFile(stat, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
