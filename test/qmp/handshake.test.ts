import { expect, test } from "vitest";
import { GreetingError, NegotiationError } from "../../src/qmp/errors.ts";
import { connect, open } from "../../src/qmp/session.ts";
import { ConnectError, ProtocolError } from "../../src/wire/errors.ts";
import { conversation, GREETING, listening, monitor, peer, rejection } from "./peer.ts";

const EVENT = { event: "RTC_CHANGE", data: { offset: 1 }, timestamp: { seconds: 1, microseconds: 2 } };

test("R1, R5: a monitor that does not greet is not taken for a missing one, and the error says who may hold it", async () => {
  await using silent = await listening(() => {});
  const error = await rejection(connect(silent.address, { timeout: 30 }));
  expect(error).toBeInstanceOf(GreetingError);
  expect(error.code).toBe("greeting");
  expect(error.message).toContain(
    `${silent.address}: connected, and no QMP greeting came within 30 ms: most likely another client holds this monitor`,
  );
});

test("R2: capabilities that are not known are ignored, whatever they are, and oob is taken when offered", async () => {
  const { session, lines } = await conversation({
    greeting: { QMP: { ...(GREETING["QMP"] as object), capabilities: [{ new: 1 }, "oob", 7] } },
  });
  expect(session.oob).toBe(true);
  expect(session.greeting.version.qemu).toEqual({ major: 7, minor: 2, micro: 22 });
  expect(lines[0]).toMatch(/^\{"execute":"qmp_capabilities","arguments":\{"enable":\["oob"\]\},"id":"[0-9a-f]{32}"\}$/);
});

test("R3: a monitor without oob is asked for none", async () => {
  const { session, lines } = await conversation({ greeting: { QMP: { ...(GREETING["QMP"] as object), capabilities: [] } } });
  expect(session.oob).toBe(false);
  expect(lines[0]).toMatch(/^\{"execute":"qmp_capabilities","id":"[0-9a-f]{32}"\}$/);
});

test("R4: events before the greeting and before the capabilities reply break nothing, and are kept aside", async () => {
  const other = peer({ greeting: null, negotiate: false });
  other.say(EVENT);
  const opening = open(other.transport);
  other.say(EVENT, GREETING);
  await expect.poll(() => other.lines.length).toBe(1);
  other.say(EVENT);
  other.say({ return: {}, id: JSON.parse(other.lines[0] as string).id }, EVENT);
  const session = await opening;
  expect(session.early).toEqual([EVENT, EVENT, EVENT, EVENT]);
});

test("R28: replies meant for an earlier client are not taken for ours, with any id or none", async () => {
  const other = peer({ negotiate: false, greeting: null });
  other.say({ return: { stale: 1 }, id: "libvirt-7" }, GREETING);
  const opening = open(other.transport);
  await expect.poll(() => other.lines.length).toBe(1);
  other.say({ return: {} }, { return: {}, id: 1 }, { error: { class: "GenericError", desc: "stale" } }, { return: {}, id: "A-1" });
  let settled = false;
  void opening.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  other.say({ return: {}, id: JSON.parse(other.lines[0] as string).id });
  expect((await opening).oob).toBe(true);
});

test("R28: no two connections negotiate by the same id, and no two calls in flight have the same", async () => {
  const first = await conversation();
  const second = await conversation();
  for (let call = 0; call < 200; call++) void first.session.executeOob("query-name").catch(() => {});
  const ids = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line).id);
  await first.heard(200);
  expect(new Set([...ids(first.lines), ...ids(second.lines)]).size).toBe(202);
  await Promise.all([first.session.close(), second.session.close()]);
});

test("an id is used again when its call is answered, and not while a call that was given up waits for its late reply", async () => {
  const { session, heard, say, requests } = await conversation();
  const given = rejection(session.execute("x", {}, { signal: AbortSignal.timeout(1) }));
  await given;
  for (let call = 1; call < 100; call++) {
    const answer = session.execute("x");
    say({ return: call, id: (await heard(call + 1))[call]?.id });
    expect(await answer).toBe(call);
  }
  const ids = requests.map((request) => request.id);
  expect(new Set(ids.slice(1)).has(ids[0])).toBe(false);
  expect(new Set(ids).size).toBe(10);
  for (const id of ids) expect(String(id)).toMatch(/^\d{3}$/);
});

test("calls that wait here get their id when they are sent: however many they are, ids stay short", async () => {
  const { session, heard, say } = await conversation();
  const calls = Array.from({ length: 500 }, () => session.execute("x"));
  for (let call = 0; call < calls.length; call++) say({ return: call, id: (await heard(call + 1))[call]?.id });
  expect(await Promise.all(calls)).toEqual(Array.from(calls.keys()));
  for (const { id } of await heard(500)) expect(String(id)).toMatch(/^\d{3}$/);
});

test("R7, R8: QEMU's refusal to negotiate is reported in its own words", async () => {
  const other = peer({ negotiate: false });
  const opening = open(other.transport);
  await expect.poll(() => other.lines.length).toBe(1);
  other.say({ error: { class: "GenericError", desc: "Capability oob not available" }, id: JSON.parse(other.lines[0] as string).id });
  const error = await rejection(opening);
  expect(error).toBeInstanceOf(NegotiationError);
  expect(error.message).toContain("Capability oob not available");
});

test("R28: negotiation that waits behind an earlier client's command has a deadline and says so", async () => {
  const other = peer({ negotiate: false });
  const error = await rejection(open(other.transport, { timeout: 20 }));
  expect(error).toBeInstanceOf(NegotiationError);
  expect(error.message).toContain("not answered within 20 ms: a command of an earlier client may still run");
});

test.each([
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", /this is not QMP: "SSH-2.0/],
  ["another JSON protocol", '{"jsonrpc":"2.0"}\r\n', /not a QMP monitor: it says .*jsonrpc/],
  ["a greeting of another shape", '{"QMP":{"version":7}}\r\n', /a greeting that is not as QEMU documents it/],
])("a peer that is none: %s", async (_, hello, message) => {
  await using wrong = await listening((client) => client.write(hello));
  const error = await rejection(connect(wrong.address));
  expect(error).toBeInstanceOf(GreetingError);
  expect(error.message).toMatch(message);
  // Who it was is said once.
  expect(error.message.split(wrong.address)).toHaveLength(2);
});

test("garbage instead of a greeting keeps the bytes as the cause", async () => {
  await using wrong = await listening((client) => client.write("HTTP/1.1 400 Bad Request\r\n"));
  expect((await rejection(connect(wrong.address))).cause).toBeInstanceOf(ProtocolError);
});

test.each([undefined, new Error("read ECONNRESET")])("a peer that goes before it greets is told at once (%s)", async (cause) => {
  const other = peer({ greeting: null });
  other.end(cause);
  const error = await rejection(open(other.transport));
  expect(error).toBeInstanceOf(GreetingError);
  expect(error.cause).toBe(cause);
});

test("no listener: the system's own reason, and the path", async () => {
  const error = await rejection(connect("unix:/nonexistent/monitor.sock"));
  expect(error).toBeInstanceOf(ConnectError);
  expect(error).toMatchObject({
    code: "connect",
    errno: "ENOENT",
    message: "unix:/nonexistent/monitor.sock: nobody listens there: no such socket (ENOENT)",
  });
});

test.each(["greeting", "dial", "before"] as const)("an abort rejects with the signal's reason untouched (%s)", async (when) => {
  await using silent = await listening(() => {}, "tcp");
  const reason = { my: "reason" };
  const controller = new AbortController();
  if (when === "before") controller.abort(reason);
  const opening = connect(silent.address, { signal: controller.signal });
  if (when === "dial") controller.abort(reason);
  if (when === "greeting") silent.server.once("connection", () => controller.abort(reason));
  expect(await rejection(opening)).toBe(reason);
});

test("a session over a socket, Unix and TCP", async () => {
  for (const on of ["unix", "tcp"] as const) {
    await using server = await monitor(
      (request, client) => client.write(`${JSON.stringify({ return: request.execute, id: request.id })}\r\n`),
      on,
    );
    await using session = await connect(server.address);
    expect(session.address).toBe(server.address);
    expect(await session.execute("x-echo")).toBe("x-echo");
  }
});

test("closing an opening that failed leaves the monitor free for the next client", async () => {
  let clients = 0;
  await using silent = await listening((client) => {
    clients++;
    client.on("close", () => clients--);
  });
  await rejection(connect(silent.address, { timeout: 20 }));
  await expect.poll(() => clients).toBe(0);
});

test("E3: a greeting with a number of three million digits is refused at once, well before the deadline", async () => {
  const greeting = JSON.stringify({ QMP: { version: { qemu: { micro: 7, minor: 2, major: 7 }, package: "" }, capabilities: [] } }).replace(
    "7",
    "7".repeat(3_000_000),
  );
  await using server = await listening((client) => void client.write(`${greeting}\r\n`));
  const begun = performance.now();
  const error = await rejection(connect(server.address, { timeout: 20_000 }));
  expect(error).toMatchObject({ code: "greeting", cause: expect.any(ProtocolError) });
  expect(error.message).toMatch(/: a number of more than 320 digits, and QEMU's have 20: "7+"$/);
  expect(error.message.length).toBeLessThan(300);
  expect(performance.now() - begun).toBeLessThan(2000);
});
