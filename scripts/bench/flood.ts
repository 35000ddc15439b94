import { OverflowError } from "../../src/qmp/errors.ts";
import type { EventStream } from "../../src/qmp/event-stream.ts";
import { connect } from "../../src/qmp/session.ts";
import { launch, type Machine, NO_GUEST, type Qemu } from "../lab/machine.ts";
import { BareLoop } from "./bare.ts";
import { compare, perSecond, type Row, times } from "./measure.ts";

const ROUNDS = 5;
/** A backup of nothing to nowhere is done at once, and tells so in nine events. */
const JOBS = 4_000;
const EVENTS_EACH = 9;
const BOUND = 1_000;

/** All events that QEMU can send, with a subscriber that does not keep up beside two that do. */
export async function floodRows(qemu: Qemu): Promise<readonly Row[]> {
  await using machine = await launch(qemu.binary, NO_GUEST, { monitors: 2 });
  for (const name of ["from", "to"])
    await machine.ask("blockdev-add", { driver: "null-co", "node-name": name, size: 0, "read-zeroes": true });
  const outcome = { lost: 0, slowEnded: true, heldAtMost: 0 };
  const ours = async (): Promise<number> => {
    await using session = await connect(machine.address);
    const held = process.memoryUsage().heapUsed;
    using first = session.events();
    using second = session.events();
    using slow = session.events(undefined, { bound: BOUND });
    const counts = [count(first), count(second)];
    const time = await flood(machine, Promise.all(counts));
    outcome.heldAtMost = Math.max(outcome.heldAtMost, process.memoryUsage().heapUsed - held);
    outcome.lost += (await Promise.all(counts)).reduce((sum, got) => sum + JOBS * EVENTS_EACH - got, 0);
    outcome.slowEnded &&= (await drain(slow)) instanceof OverflowError;
    return time;
  };
  const bare = async (): Promise<number> => {
    await using loop = await BareLoop.open(machine.monitors[0] ?? "");
    return await flood(machine, countBare(loop));
  };
  const { ours: time, against, ratio } = await compare(ROUNDS, ours, bare);
  const rate = (value: number): string => perSecond((JOBS * EVENTS_EACH * 1000) / value);
  return [
    {
      work: "event flood, two quick and one slow",
      ours: rate(time),
      against: `bare loop: ${rate(against)}`,
      ratio: times(1 / ratio),
      goal: "at least 0.95",
      reached: 1 / ratio >= 0.95,
    },
    {
      work: "event flood, lost for the quick ones",
      ours: String(outcome.lost),
      against: "",
      ratio: "",
      goal: "0",
      reached: outcome.lost === 0,
    },
    {
      work: `event flood, the slow one (bound ${BOUND})`,
      ours: outcome.slowEnded ? "ended, and told why" : "went on",
      against: `heap grew by ${(outcome.heldAtMost / 2 ** 20).toFixed(0)} MiB`,
      ratio: "",
      goal: "memory bounded",
      reached: outcome.slowEnded,
    },
  ];
}

/** Has QEMU run all jobs, and returns the milliseconds until their events were received. */
async function flood(machine: Machine, received: Promise<unknown>): Promise<number> {
  await using control = await BareLoop.open(machine.monitors[1] ?? "");
  control.listen(() => {});
  const start = performance.now();
  // One write: QEMU takes what it can, and nobody of us has to wait for its answers meanwhile.
  const job = (index: number): string =>
    JSON.stringify({ execute: "blockdev-backup", arguments: { "job-id": `job${index}`, device: "from", target: "to", sync: "full" } });
  control.write(Array.from({ length: JOBS }, (_, index) => job(index)).join("\n"));
  await received;
  return performance.now() - start;
}

async function count(stream: EventStream): Promise<number> {
  let events = 0;
  let ended = 0;
  for await (const { data } of stream) {
    events += 1;
    if (isEndOfJob(data) && ++ended === JOBS) break;
  }
  return events;
}

function countBare(loop: BareLoop): Promise<number> {
  let events = 0;
  let ended = 0;
  return new Promise((resolve) => {
    loop.listen(({ event, data }) => {
      if (event === undefined) return;
      events += 1;
      if (isEndOfJob(data) && ++ended === JOBS) resolve(events);
    });
  });
}

function isEndOfJob(data: unknown): boolean {
  return (data as { readonly status?: string } | undefined)?.status === "null";
}

/** Reads what a stream still holds. Returns what ended it. */
async function drain(stream: EventStream): Promise<unknown> {
  try {
    for await (const event of stream) void event;
    return undefined;
  } catch (error) {
    return error;
  }
}
