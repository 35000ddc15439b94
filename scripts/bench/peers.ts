import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { connect } from "../../src/qmp/session.ts";
import { launch, NO_GUEST, type Qemu } from "../lab/machine.ts";
import { compare, milliseconds, perSecond, type Row, timed, times } from "./measure.ts";

const ROUNDS = 5;
const COMMANDS = 3_000;
const SCHEMAS = 20;

/** The parts of a client that are measured; ours and another's. */
interface Client extends AsyncDisposable {
  execute(command: string): Promise<unknown>;
}

type Dial = (path: string) => Promise<Client>;

interface NodeQemu {
  readonly QMPClient: new (options: { readonly socketPath: string }) => {
    connect(): Promise<void>;
    execute(command: string): Promise<unknown>;
    close(): Promise<void>;
  };
}

/** The npm package `node-qemu`, installed in a folder of its own. */
async function nodeQemu(folder: string): Promise<Dial> {
  const found = createRequire(join(resolve(folder), "anywhere.js")).resolve("node-qemu");
  const { QMPClient } = (await import(pathToFileURL(found).href)) as NodeQemu;
  return async (path) => {
    const client = new QMPClient({ socketPath: path });
    await client.connect();
    return { execute: (command) => client.execute(command), [Symbol.asyncDispose]: () => client.close() };
  };
}

const ours: Dial = (path) => connect(`unix:${path}`);

/** The same work, ours against a peer's. There is no goal to miss: the figures are told. */
export async function peerRows(qemu: Qemu, folder: string): Promise<readonly Row[]> {
  const theirs = await nodeQemu(folder);
  await using machine = await launch(qemu.binary, NO_GUEST);
  const path = machine.monitors[0] ?? "";
  const side = (dial: Dial, work: (client: Client) => Promise<unknown>) => async (): Promise<number> => {
    await using client = await dial(path);
    return await timed(() => work(client));
  };
  const works: readonly (readonly [what: string, work: (client: Client) => Promise<unknown>, tell: (time: number) => string])[] = [
    ["commands one after the other", (client) => oneByOne(client, "query-status", COMMANDS), rate],
    ["commands in parallel", (client) => Promise.all(Array.from({ length: COMMANDS }, () => client.execute("query-status"))), rate],
    ["query-qmp-schema", (client) => oneByOne(client, "query-qmp-schema", SCHEMAS), (time) => milliseconds(time / SCHEMAS)],
  ];
  const rows: Row[] = [];
  for (const [what, work, tell] of works) {
    const result = await compare(ROUNDS, side(ours, work), side(theirs, work));
    rows.push({
      work: `node-qemu: ${what}`,
      ours: tell(result.ours),
      against: `theirs: ${tell(result.against)}`,
      ratio: times(1 / result.ratio),
      goal: "",
      reached: true,
    });
  }
  return rows;
}

async function oneByOne(client: Client, command: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await client.execute(command);
}

function rate(time: number): string {
  return perSecond((COMMANDS / time) * 1000);
}
