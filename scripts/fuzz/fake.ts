import { connect } from "../../src/qmp/session.ts";
import { type ReplayServer, startReplay, type Weather } from "../../src/testing/index.ts";
import { conversationFrom, type Step } from "../lab/conversation.ts";
import type { Random } from "../lab/random.ts";
import { type WireClient, wireClient } from "../lab/wire-client.ts";
import { insist, soon, type Target } from "./target.ts";
import { cut, spoilt } from "./words.ts";

/** The fake monitor, with clients that send anything, break off, crowd, and return. Then it must serve a good client. */
export const fake: Target = {
  name: "fake",
  async run(random) {
    const slow = (): Promise<object> => new Promise((resolve) => setImmediate(() => resolve({})));
    const server = await startReplay({
      weather: weather(random),
      answers: { "query-name": () => ({}), "query-status": slow, stop: () => server.emit("STOP"), cont: () => server.emit("RESUME") },
    });
    await soon(Promise.all(Array.from({ length: 1 + random.below(4) }, () => trouble(server, random))), "clients");
    await soon(behave(server), "one who behaves");
    await soon(
      server.close().catch(() => {}),
      "the end",
    );
  },
};

function weather(random: Random): Weather {
  return random.pick<Weather>([
    {},
    {},
    { chunk: 1 + random.below(9) },
    { splitLineEnd: true },
    { pretty: true },
    { before: random.pick(["", "\r\n", '{"event":"X","timestamp":{"seconds":1,"microseconds":2}}\n']) },
  ]);
}

async function trouble(server: ReplayServer, random: Random): Promise<void> {
  const addresses = Object.values(server.addresses);
  let client: WireClient | undefined;
  for (const step of conversationFrom(random)) {
    client ??= await wireClient(random.pick(addresses));
    await say(client, step, random);
    if (step.kind === "say" && random.below(3) > 0) continue;
    if (random.below(3) === 0) client.socket.end();
    else client.socket.destroy();
    client = undefined;
  }
  client?.socket.destroy();
}

async function say(client: WireClient, step: Step, random: Random): Promise<void> {
  const bytes = Buffer.from("pieces" in step ? step.pieces.join("") : '{"execute":"query-name"}', "latin1");
  for (const piece of cut(random.below(3) === 0 ? spoilt(bytes, random) : bytes, random)) {
    if (client.socket.writable) client.socket.write(piece);
    if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One client is served at a time, so this one waits until the others are gone. */
async function behave(server: ReplayServer): Promise<void> {
  for (const address of Object.values(server.addresses)) {
    await using session = await connect(address, { timeout: 10_000 });
    insist(JSON.stringify(await session.execute("query-name")) === "{}", "it does not answer any more");
  }
}
