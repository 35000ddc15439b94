import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Row, times } from "./measure.ts";
import { qmpctl, type RemoteBench } from "./remote-work.ts";

const END_POINTS = 1000;
/** The most that the program may have in memory, in MB. */
const MOST_MEMORY = 300;
/** How many times the mean the longest wait of an end point may be. */
const MOST_WAIT = 10;

const ANSWER = {
  ...{ name: "web1", state: "running", status: "running", transient: false, pid: 4711, uptime: 86_400_000 },
  ...{ emulator: "qemu-system-x86_64", version: "10.0.0", configPath: "/etc/qmpctl/web1.json" },
  config: { memory: 2 ** 30, maxMemory: 2 ** 31, vcpus: 2, maxVcpus: 4 },
  live: { memory: 2 ** 30, maxMemory: 2 ** 31, vcpus: 2, maxVcpus: 4, host: 2 ** 30 },
};

/**
 * A program in the place of ssh that is an end point: two light processes that say the greeting, and the same answer to each call. A file
 * is written when it begins and one when it is asked, and their times are how long that host waited.
 */
function standIn(folder: string): string {
  return `#!/bin/sh
while [ "$1" != -- ]; do shift; done
: > "${folder}/$2"
printf '%s\\n' '{"qmpctl":"serve","protocol":[1,1],"version":"0","allows":null}'
exec sed -u -n -e '/^{"call":/w ${folder}/'"$2"'.asked' -e 's/^{"call":\\([0-9]*\\),.*/{"result":\\1,"value":${JSON.stringify(ANSWER).replaceAll("/", "\\/")}}/p'
`;
}

/** What the program has in memory at most, written when it ends. */
const PEAK = `process.on("exit", () => require("node:fs").writeFileSync(process.env.QMPCTL_BENCH_PEAK, String(process.resourceUsage().maxRSS)));\n`;

/** Many simulated end points: no host is there, so what is measured is this program, its memory and whom it lets wait. */
export async function crowdOfHostsRows(bench: RemoteBench, folder: string): Promise<readonly Row[]> {
  const [preload, peak] = [join(folder, "peak.cjs"), join(folder, "peak")];
  await writeFile(preload, PEAK);
  const env = { ...bench.env, QMPCTL_BENCH_PEAK: peak, NODE_OPTIONS: `--require=${preload}` };
  const rows: Row[] = [];
  for (const atOnce of [10, END_POINTS]) {
    const marks = join(folder, `marks-${atOnce}`);
    await mkdir(marks);
    const ssh = join(folder, `stand-in-${atOnce}`);
    await writeFile(ssh, standIn(marks));
    await chmod(ssh, 0o755);
    const words = ["-H", `end[1-${END_POINTS}]`, "--at-once", String(atOnce), "info", "web1"];
    const time = await qmpctl({ ...bench, env }, words, ssh)();
    rows.push(
      ...rowsOf(`a simulation: ${END_POINTS} end points, ${atOnce} at once`, {
        time,
        waits: await waitsIn(marks),
        peak: Number(await readFile(peak, "utf8")),
      }),
    );
  }
  return rows;
}

/** How long each end point waited for its question, in milliseconds. */
async function waitsIn(marks: string): Promise<readonly number[]> {
  const asked = (await readdir(marks)).filter((name) => name.endsWith(".asked"));
  if (asked.length !== END_POINTS) throw new Error(`${asked.length} end points were asked, and not ${END_POINTS}`);
  return Promise.all(
    asked.map(async (name) => {
      const [begun, end] = await Promise.all([stat(join(marks, name.replace(".asked", ""))), stat(join(marks, name))]);
      return end.mtimeMs - begun.mtimeMs;
    }),
  );
}

function rowsOf(
  work: string,
  { time, waits, peak }: { readonly time: number; readonly waits: readonly number[]; readonly peak: number },
): readonly Row[] {
  const [longest, mean] = [Math.max(...waits), waits.reduce((sum, wait) => sum + wait, 0) / waits.length];
  const memory = (peak * 1024) / 1e6;
  return [
    {
      work: `${work}, memory`,
      ours: `${memory.toFixed(0)} MB`,
      against: `all in ${(time / 1000).toFixed(1)} s`,
      ratio: "",
      goal: `under ${MOST_MEMORY} MB`,
      reached: memory < MOST_MEMORY,
    },
    {
      work: `${work}, the longest wait`,
      ours: `${longest.toFixed(0)} ms`,
      against: `the mean: ${mean.toFixed(0)} ms`,
      ratio: times(longest / mean),
      goal: `at most ${MOST_WAIT}`,
      reached: longest <= MOST_WAIT * mean,
    },
  ];
}
