import { connect, type Session } from "../../src/qmp/session.ts";
import { launch, NO_GUEST, type Qemu } from "../lab/machine.ts";
import { BareLoop } from "./bare.ts";
import { compare, milliseconds, perSecond, type Row, timed, times } from "./measure.ts";

const ROUNDS = 9;
const COMMANDS = 5_000;
const SCHEMAS = 40;
const DEPTH = 8;

/** Commands and replies with a real QEMU, held against a bare loop on the same machine. */
export async function conversationRows(qemu: Qemu): Promise<readonly Row[]> {
  await using machine = await launch(qemu.binary, NO_GUEST);
  const path = machine.monitors[0] ?? "";
  const ours = (work: (session: Session) => Promise<unknown>) => async (): Promise<number> => {
    await using session = await connect(`unix:${path}`);
    return await timed(() => work(session));
  };
  const bare = (oob: boolean, work: (loop: BareLoop) => Promise<unknown>) => async (): Promise<number> => {
    await using loop = await BareLoop.open(path, oob);
    return await timed(() => work(loop));
  };
  // A monitor with out-of-band commands reads in one thread and runs in another; both sides pay for that, or neither.
  const sequential = await compare(
    ROUNDS,
    ours(inSequence),
    bare(true, (loop) => loop.run("query-status", COMMANDS, 1)),
  );
  const plain = await compare(
    ROUNDS,
    bare(true, (loop) => loop.run("query-status", COMMANDS, 1)),
    bare(false, (loop) => loop.run("query-status", COMMANDS, 1)),
  );
  const parallel = await compare(
    ROUNDS,
    ours(inParallel),
    bare(true, (loop) => loop.run("query-status", COMMANDS, DEPTH)),
  );
  const schema = await compare(
    ROUNDS,
    ours(readSchema),
    bare(true, (loop) => loop.run("query-qmp-schema", SCHEMAS, 1)),
  );
  const gain = sequential.ours / parallel.ours;
  return [
    rateRow("commands one after the other", sequential),
    { ...rateRow("QEMU itself, with oob against without", plain), goal: "" },
    rateRow(`commands in parallel (oob, ${DEPTH} under way)`, parallel),
    { work: "parallel against sequential", ours: "", against: "", ratio: times(gain), goal: "at least 1.4", reached: gain >= 1.4 },
    {
      work: "query-qmp-schema",
      ours: milliseconds(schema.ours / SCHEMAS),
      against: `bare loop: ${milliseconds(schema.against / SCHEMAS)}`,
      ratio: times(schema.ratio),
      goal: "at most 1.05",
      reached: schema.ratio <= 1.05,
    },
  ];
}

async function inSequence(session: Session): Promise<void> {
  for (let index = 0; index < COMMANDS; index++) await session.execute("query-status");
}

async function inParallel(session: Session): Promise<void> {
  await Promise.all(Array.from({ length: COMMANDS }, () => session.execute("query-status")));
}

async function readSchema(session: Session): Promise<void> {
  for (let index = 0; index < SCHEMAS; index++) await session.execute("query-qmp-schema");
}

/** Times are compared, rates are told: ours is better when its time is the smaller one. */
function rateRow(work: string, { ours, against, ratio }: { readonly ours: number; readonly against: number; readonly ratio: number }): Row {
  const rate = 1 / ratio;
  return {
    work,
    ours: perSecond((COMMANDS / ours) * 1000),
    against: `bare loop: ${perSecond((COMMANDS / against) * 1000)}`,
    ratio: times(rate),
    goal: "at least 0.95",
    reached: rate >= 0.95,
  };
}
