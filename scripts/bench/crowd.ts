import { createServer } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect, type Session } from "../../src/qmp/session.ts";
import { launch, type Machine, NO_GUEST, privateFolder, type Qemu } from "../lab/machine.ts";
import { BareLoop } from "./bare.ts";
import { milliseconds, type Row, timed } from "./measure.ts";

const MACHINES = 200;
const AT_ONCE = 8;
const DEADLINE = 2_000;

/** One process that watches many machines, one of which is there and says nothing. */
export async function crowdRows(qemu: Qemu): Promise<readonly Row[]> {
  await using folder = await privateFolder();
  const silent = join(folder.path, "silent.sock");
  const server = createServer((socket) => void socket.on("error", () => {})).listen(silent);
  const machines = await launchMany(qemu);
  try {
    return await measure(machines, `unix:${silent}`);
  } finally {
    server.close();
    await Promise.all(machines.map((machine) => machine[Symbol.asyncDispose]()));
  }
}

async function measure(machines: readonly Machine[], silent: string): Promise<readonly Row[]> {
  const bare = await memoryOf(async () => Promise.all(machines.map(({ monitors }) => BareLoop.open(monitors[0] ?? ""))));
  await Promise.all(bare.held.map((loop) => loop[Symbol.asyncDispose]()));

  const late: number[] = [];
  const failed = timed(() => connect(silent, { timeout: DEADLINE }).catch(() => undefined));
  const ours = await memoryOf(() => Promise.all(machines.map(({ address }) => connected(address, late))));
  const dead = await failed;
  await Promise.all(ours.held.map(({ session, stream }) => (stream[Symbol.dispose](), session.close())));

  const slowest = Math.max(...late);
  return [
    {
      work: `${MACHINES} QEMUs watched, memory for each`,
      ours: `${(ours.bytes / 1024).toFixed(1)} KB`,
      against: `bare loop: ${(bare.bytes / 1024).toFixed(1)} KB`,
      ratio: (ours.bytes / bare.bytes).toFixed(2),
      goal: "under 60 KB",
      reached: ours.bytes < 60 * 1024,
    },
    {
      work: `${MACHINES} QEMUs, the last one connected`,
      ours: milliseconds(slowest),
      against: `a silent one: ${milliseconds(dead)}`,
      ratio: "",
      goal: "not after the silent one",
      reached: slowest < DEADLINE,
    },
  ];
}

async function connected(address: string, times: number[]): Promise<{ readonly session: Session; readonly stream: Disposable }> {
  const start = performance.now();
  const session = await connect(address, { timeout: 10_000 });
  const stream = session.events();
  await session.execute("query-status");
  times.push(performance.now() - start);
  return { session, stream };
}

async function launchMany(qemu: Qemu): Promise<readonly Machine[]> {
  const machines: Machine[] = [];
  let wanted = MACHINES;
  const lane = async (): Promise<void> => {
    while (wanted-- > 0) machines.push(await launch(qemu.binary, NO_GUEST));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return machines;
}

/** Bytes of the process for each thing made, in its heap and beside it, after the garbage is gone. */
async function memoryOf<T>(make: () => Promise<readonly T[]>): Promise<{ readonly held: readonly T[]; readonly bytes: number }> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const held = await make();
  return { held, bytes: (used() - before) / held.length };
}
