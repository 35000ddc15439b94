import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { connect, type Session } from "../../src/qmp/session.ts";
import { launch, NO_GUEST, type Qemu } from "../lab/machine.ts";
import { compare, milliseconds, perSecond, type Row, timed, times } from "./measure.ts";

const ROUNDS = 3;
const COMMANDS = 2_000;
const SCHEMAS = 20;

/** Does one kind of work with QEMU's own Python client and prints how many milliseconds it took, connecting not counted. */
const PROGRAM = `
import asyncio, sys, time
from qemu.qmp import QMPClient

async def main(path, work, count):
    client = QMPClient("bench")
    await client.connect(path)
    start = time.perf_counter()
    if work == "parallel":
        await asyncio.gather(*(client.execute("query-status") for _ in range(count)))
    else:
        for _ in range(count):
            await client.execute("query-status" if work == "sequential" else "query-qmp-schema")
    print((time.perf_counter() - start) * 1000)
    await client.disconnect()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
`;

interface Work {
  readonly name: "sequential" | "parallel" | "schema";
  readonly told: string;
  readonly count: number;
  readonly ours: (session: Session) => Promise<unknown>;
  readonly tell: (time: number) => string;
}

const WORKS: readonly Work[] = [
  {
    name: "sequential",
    told: "commands one after the other",
    count: COMMANDS,
    ours: (session) => oneByOne(session, "query-status", COMMANDS),
    tell: rate,
  },
  {
    name: "parallel",
    told: "commands in parallel",
    count: COMMANDS,
    ours: (session) => Promise.all(Array.from({ length: COMMANDS }, () => session.execute("query-status"))),
    tell: rate,
  },
  {
    name: "schema",
    told: "query-qmp-schema",
    count: SCHEMAS,
    ours: (session) => oneByOne(session, "query-qmp-schema", SCHEMAS),
    tell: (time) => milliseconds(time / SCHEMAS),
  },
];

/** The same work, ours against QEMU's own Python client. `folder` is the one that holds its package `qemu` (QEMU's source: python/). */
export async function pythonRows(qemu: Qemu, folder: string): Promise<readonly Row[]> {
  await using machine = await launch(qemu.binary, NO_GUEST);
  const path = machine.monitors[0] ?? "";
  const rows: Row[] = [];
  for (const work of WORKS) {
    const result = await compare(
      ROUNDS,
      () => ours(path, work),
      () => theirs(folder, path, work),
    );
    rows.push({
      work: `QEMU's Python client: ${work.told}`,
      ours: work.tell(result.ours),
      against: `theirs: ${work.tell(result.against)}`,
      ratio: times(1 / result.ratio),
      goal: "",
      reached: true,
    });
  }
  return rows;
}

async function ours(path: string, work: Work): Promise<number> {
  await using session = await connect(`unix:${path}`);
  return await timed(() => work.ours(session));
}

async function theirs(folder: string, path: string, { name, count }: Work): Promise<number> {
  const { stdout } = await promisify(execFile)("python3", ["-c", PROGRAM, path, name, String(count)], {
    env: { ...process.env, PYTHONPATH: resolve(folder) },
  });
  return Number(stdout);
}

async function oneByOne(session: Session, command: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await session.execute(command);
}

function rate(time: number): string {
  return perSecond((COMMANDS / time) * 1000);
}
