import { connect as netConnect } from "node:net";
import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { connect, open } from "../../src/qmp/session.ts";
import { spawnQemu } from "../../src/qmp/spawn.ts";
import { watch } from "../../src/qmp/watch.ts";
import { startAgent } from "../../src/testing/index.ts";
import { ProtocolError } from "../../src/wire/errors.ts";
import { Framer } from "../../src/wire/framing.ts";
import { listen } from "../../src/wire/listen.ts";
import { GREETING, type Listening, monitor, rejection } from "../qmp/peer.ts";

const LIMIT = 2000;

/** A monitor whose answers are as long as they are asked to be. */
function talkative(): Promise<Listening> {
  return monitor((request, client) =>
    client.write(`${JSON.stringify({ return: "x".repeat(Number(request.arguments?.["length"])), id: request.id })}\r\n`),
  );
}

test("a message may be as long as the limit that one names, and one byte more ends the session with the reason", async () => {
  await using server = await talkative();
  await using session = await connect(server.address, { messageLimit: LIMIT });
  const most = LIMIT - JSON.stringify(await session.exchange({ execute: "x", arguments: { length: 0 }, id: "0123" })).length;
  expect((await session.exchange({ execute: "x", arguments: { length: most }, id: "0123" }))["return"]).toHaveLength(most);
  const error = await rejection(session.exchange({ execute: "x", arguments: { length: most + 1 }, id: "0123" }));
  expect(error).toMatchObject({ code: "closed", cause: expect.any(ProtocolError) });
  expect(error.message).toContain(`${server.address}: a message longer than ${LIMIT} bytes, its messageLimit: "{`);
});

test("the limit holds for watchers, guest agents, machines that dial in and machines of our own", async () => {
  await using server = await talkative();
  await using watcher = watch(server.address, {
    messageLimit: LIMIT,
    read: (session) => session.execute("x", { length: LIMIT }),
    backoff: { first: 60_000, longest: 60_000 },
  });
  expect((await watcher.next()).value).toMatchObject({ kind: "down", error: { message: expect.stringContaining("its messageLimit") } });

  await using fake = await startAgent({ answers: { "guest-info": () => ({ version: "x".repeat(LIMIT) }) } });
  await using agent = await connectAgent(fake.address, { messageLimit: LIMIT });
  expect((await rejection(agent.execute("guest-info"))).message).toContain("its messageLimit");

  await using listener = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { messageLimit: LIMIT });
  const machine = netConnect(Number(listener.address.split(":").at(-1)), "127.0.0.1").on("error", () => {});
  machine.write(JSON.stringify({ QMP: { ...(GREETING["QMP"] as object), more: "x".repeat(LIMIT) } }));
  const transport = await listener.accept();
  expect((await rejection(open(transport as NonNullable<typeof transport>))).message).toContain("its messageLimit");
  machine.destroy();

  const program = `new (require("node:net").Socket)({ fd: 3 }).write(JSON.stringify({ QMP: "x".repeat(${LIMIT}) }))`;
  expect((await rejection(spawnQemu(process.execPath, ["-e", program, "--"], { messageLimit: LIMIT }))).message).toContain(
    "its messageLimit",
  );
});

test.each([0, -1, 1.5, NaN, Infinity, 2 ** 40])(
  "a limit of %d is refused before anything is connected or started",
  async (messageLimit) => {
    const options = { messageLimit };
    const refusals = [
      () => connect("unix:/nonexistent/monitor.sock", options),
      () => connect("exec:/nonexistent/ssh", options),
      () => connectAgent("unix:/nonexistent/agent.sock", options),
      () => listen({ kind: "unix", path: "/nonexistent/s" }, options),
      () => spawnQemu("/nonexistent/qemu", [], options),
      () => watch("unix:/nonexistent/monitor.sock", options).next(),
    ];
    for (const call of refusals) {
      const error = await rejection(call());
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toBe(`a messageLimit of ${messageLimit}`);
    }
  },
);

test("by default, 128 MiB are accepted, and no more", () => {
  const framer = new Framer("peer");
  const part = Buffer.alloc(2 ** 26, "x");
  expect(framer.read(Buffer.from('{"return":"')).fault).toBeUndefined();
  expect(framer.read(part).fault).toBeUndefined();
  expect(framer.read(part.subarray(11)).fault).toBeUndefined();
  expect(framer.pending).toBe(2 ** 27);
  expect(framer.read(Buffer.from("x")).fault?.message).toContain("a message longer than 134217728 bytes, its messageLimit");
});
