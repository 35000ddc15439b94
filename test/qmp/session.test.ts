import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { ClosedError, CommandError } from "../../src/qmp/errors.ts";
import { connect } from "../../src/qmp/session.ts";
import { ProtocolError } from "../../src/wire/errors.ts";
import { conversation, monitor, rejection } from "./peer.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("R14: a request is as short as JSON allows: no spaces, no empty arguments, one newline", async () => {
  const { session, lines, heard } = await conversation();
  const calls = [session.execute("query-name", {}), session.execute("qom-get", { path: "/machine", property: "type" })];
  await heard(2);
  const [id1, id2] = lines.slice(1).map((line) => JSON.parse(line).id as number);
  expect(lines.slice(1)).toEqual([
    `{"execute":"query-name","id":${id1}}`,
    `{"execute":"qom-get","arguments":{"path":"/machine","property":"type"},"id":${id2}}`,
  ]);
  expect(id1).toBeLessThan(1000);
  await session.close();
  await Promise.all(calls.map(rejection));
});

test("R25, R32: replies find their calls by id, in any order, with members in any order", async () => {
  const { session, heard, say } = await conversation();
  const calls = ["a", "b", "c"].map((name) => session.execute(`x-${name}`));
  const ids = (await heard(3)).map((request) => request.id);
  say({ return: 3, id: ids[2] }, { id: ids[0], return: null }, { id: ids[1], error: { desc: "no", class: "DeviceNotFound" } });
  expect(await calls[0]).toBe(null);
  expect(await rejection(calls[1] as Promise<unknown>)).toMatchObject({
    code: "command",
    command: "x-b",
    class: "DeviceNotFound",
    desc: "no",
    message: "x-b: no",
  });
  expect(await calls[2]).toBe(3);
});

test("R26: a class of error that is not known yet is passed on", async () => {
  const { session, heard, say } = await conversation();
  const call = session.execute("x");
  say({ error: { class: "BrandNew", desc: "d" }, id: (await heard(1))[0]?.id });
  expect(await rejection(call)).toMatchObject({ class: "BrandNew" });
});

test("R27: a reply to no request is dropped", async () => {
  const { session, heard, say } = await conversation();
  const call = session.execute("x");
  say(
    { return: 0, id: "zzz" },
    { return: 0, id: 5 },
    { return: 0, id: { a: 1 } },
    { error: { class: "GenericError", desc: "d" }, id: null },
  );
  say({ return: 1, id: (await heard(1))[0]?.id });
  expect(await call).toBe(1);
});

test("R21: an error without an id belongs to the oldest command in order", async () => {
  const { session, heard, say } = await conversation();
  const calls = [session.execute("x-a"), session.execute("x-b")];
  const [, second] = await heard(2);
  say({ error: { class: "GenericError", desc: "JSON parse error" } }, { return: 2, id: second?.id });
  expect(await rejection(calls[0] as Promise<unknown>)).toMatchObject({ command: "x-a", desc: "JSON parse error" });
  expect(await calls[1]).toBe(2);
});

test("R31: at most eight in-band commands are before QEMU, the rest follow in order", async () => {
  const { session, heard, requests, say } = await conversation();
  const calls = Array.from({ length: 20 }, (_, index) => session.execute(`x-${index}`));
  await heard(8);
  await settled();
  expect(requests).toHaveLength(8);
  say({ return: 0, id: requests[0]?.id }, { return: 1, id: requests[1]?.id });
  await heard(10);
  await settled();
  expect(requests).toHaveLength(10);
  for (let answered = 2; answered < 20; answered++) {
    await heard(answered + 1);
    say({ return: answered, id: requests[answered]?.id });
  }
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(requests.map((request) => request.execute)).toEqual(Array.from({ length: 20 }, (_, index) => `x-${index}`));
});

test.each([
  [5, 7],
  [6, 7],
  [7, 8],
  [11, 8],
])("R31: QEMU %i reads on, out of band too, with %i commands before it", async (major, window) => {
  const { session, heard, requests } = await conversation({
    greeting: { QMP: { version: { qemu: { micro: 0, minor: 0, major }, package: "" }, capabilities: ["oob"] } },
  });
  for (let call = 0; call < 20; call++) void session.execute("x").catch(() => {});
  await heard(window);
  await settled();
  expect(requests).toHaveLength(window);
});

test("R35: a call that is given up keeps its place before QEMU until its late reply, which is swallowed", async () => {
  const { session, heard, requests, say } = await conversation();
  const controller = new AbortController();
  const given = Array.from({ length: 8 }, () => session.execute("x-slow", {}, { signal: controller.signal }));
  const behind = session.execute("x-behind");
  await heard(8);
  controller.abort("enough");
  expect(await Promise.all(given.map(rejection))).toEqual(Array.from({ length: 8 }, () => "enough"));
  await settled();
  expect(requests).toHaveLength(8);
  say({ return: "late", id: requests[3]?.id });
  await heard(9);
  say({ return: "mine", id: requests[8]?.id });
  expect(await behind).toBe("mine");
});

test("a call that is given up while it waits here is never sent", async () => {
  const { session, heard, requests, say } = await conversation();
  for (let call = 0; call < 8; call++) void session.execute("x-slow").catch(() => {});
  const controller = new AbortController();
  const gone = rejection(session.execute("x-gone", {}, { signal: controller.signal }));
  const next = session.execute("x-next");
  await heard(8);
  controller.abort("no more");
  expect(await gone).toBe("no more");
  say({ return: 0, id: requests[0]?.id });
  expect((await heard(9))[8]?.execute).toBe("x-next");
  say({ return: 1, id: requests[8]?.id });
  expect(await next).toBe(1);
});

test("the first cause wins: a reply, an abort and a deadline settle a call once", async () => {
  const { session, heard, requests, say } = await conversation();
  const controller = new AbortController();
  const answered = session.execute("x", {}, { signal: controller.signal, timeout: 5000 });
  await heard(1);
  say({ return: "first", id: requests[0]?.id });
  await settled();
  controller.abort("second");
  expect(await answered).toBe("first");
  const aborted = AbortSignal.abort("before");
  expect(await rejection(session.execute("x", {}, { signal: aborted, timeout: 1 }))).toBe("before");
  expect(requests).toHaveLength(1);
});

test.each([0, -1, NaN])("a timeout of %d is refused", async (timeout) => {
  const { session } = await conversation();
  expect(await rejection(session.execute("x", {}, { timeout }))).toBeInstanceOf(UsageError);
});

test("a signal that many calls share is left as it was found", async () => {
  const { session, heard, requests, say } = await conversation();
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal) as (...all: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...all: unknown[]) => void;
  signal.addEventListener = (...all: unknown[]) => (listeners++, add(...all));
  signal.removeEventListener = (...all: unknown[]) => (listeners--, remove(...all));
  const warnings: string[] = [];
  const warn = (warning: Error): unknown => warnings.push(warning.name);
  process.on("warning", warn);
  const calls = Array.from({ length: 30 }, () => session.execute("x", {}, { signal }));
  const oob = Array.from({ length: 30 }, () => session.executeOob("x", {}, { signal }));
  expect(listeners).toBe(60);
  for (let answered = 0; answered < 60; answered++) {
    await heard(answered + 1);
    say({ return: 0, id: requests[answered]?.id });
  }
  await Promise.all([...calls, ...oob]);
  expect(listeners).toBe(0);
  await settled();
  process.off("warning", warn);
  expect(warnings).toEqual([]);
});

test.each<[string, (end: (cause?: Error) => void) => void, string]>([
  ["closes", (end) => end(), "the peer closed the connection"],
  ["resets", (end) => end(new Error("read ECONNRESET")), "the connection broke: read ECONNRESET"],
])("a peer that %s gives every call an error of its own, with the cause and the place of the call", async (_, act, why) => {
  const { session, heard, end } = await conversation();
  const here = async (): Promise<unknown> => session.execute("x-here");
  const calls = [here(), ...Array.from({ length: 9 }, (_, index) => session.execute(`x-${index}`))];
  await heard(8);
  act(end);
  const errors = await Promise.all(calls.map(rejection));
  expect(new Set(errors).size).toBe(10);
  for (const error of errors) expect(error).toBeInstanceOf(ClosedError);
  expect(errors[0].message).toBe(`x-here: fake: ${why}`);
  expect(errors[0].stack).toMatch(/^ClosedError: x-here: fake: .*\n {4}at here .*session\.test\.ts/);
  expect(errors.map((error) => error.sent)).toEqual([...Array.from({ length: 8 }, () => true), false, false]);
  expect(errors.every((error) => error.cause === errors[0].cause)).toBe(true);
  expect(await session.closed).toEqual({ by: "peer", error: errors[0].cause });
  expect(await rejection(session.execute("x-after"))).toMatchObject({ code: "closed", sent: false, cause: errors[0].cause });
});

test("R24: a peer that goes in the middle of a message says how much of it came", async () => {
  await using server = await monitor((_, client) => client.end('{"return": {"half": "'));
  await using session = await connect(server.address);
  expect(await rejection(session.execute("x"))).toMatchObject({
    code: "closed",
    message: expect.stringContaining("the connection broke: closed in the middle of a message, after 21 bytes of it"),
  });
});

test("a peer that begins to talk garbage ends the session, and each call has the bytes as its cause", async () => {
  await using server = await monitor((request, client) => request.execute === "x-b" && client.write("Segmentation fault\n"));
  await using session = await connect(server.address);
  using events = session.events();
  const errors = await Promise.all([rejection(session.execute("x-a")), rejection(session.execute("x-b"))]);
  for (const error of errors) {
    expect(error).toBeInstanceOf(ClosedError);
    expect(error.cause).toBeInstanceOf(ProtocolError);
    expect(error.message).toContain('this is not QMP: "Segmentation fault\\n"');
  }
  expect(await rejection(events.next())).toBe(errors[0].cause);
});

test("a message that is neither a reply nor an event ends the session", async () => {
  const { session, say } = await conversation();
  say({ hello: 1 });
  expect(await session.closed).toMatchObject({
    by: "peer",
    error: { code: "protocol", message: 'fake: neither a reply nor an event: "{\\"hello\\":1}"' },
  });
});

test("R43: replies may have members that are not known; a reply of another shape fails its call only", async () => {
  const { session, heard, requests, say } = await conversation();
  const good = session.execute("query-status");
  const bad = session.execute("query-status");
  const after = session.execute("x-after");
  await heard(3);
  say({ return: { running: true, status: "brand-new-state", more: 1 }, id: requests[0]?.id });
  say({ return: { running: "yes", status: "running" }, id: requests[1]?.id }, { return: 7, id: requests[2]?.id });
  expect(await good).toEqual({ running: true, status: "brand-new-state", more: 1 });
  const error = await rejection(bad);
  expect(error).toBeInstanceOf(ProtocolError);
  expect(error.message).toContain("query-status: a reply that is not as QEMU documents it: running: expected boolean, received string");
  expect(await after).toBe(7);
});

test("R19: bigints go out and come in exactly", async () => {
  const received: unknown[] = [];
  await using server = await monitor((request, client) => {
    received.push(request.arguments?.["value"]);
    client.write(`{"return":18446744073709551615,"id":${JSON.stringify(request.id)}}\r\n`);
  });
  await using session = await connect(server.address);
  expect(await session.execute("x", { value: 2n ** 63n })).toBe(2n ** 64n - 1n);
  expect(received).toEqual([2n ** 63n]);
});

test("R15: arguments that QEMU could not answer by id reject, and nothing is sent", async () => {
  const { session, requests } = await conversation();
  expect(await rejection(session.execute("x", { text: "\ud800" }))).toBeInstanceOf(UsageError);
  await settled();
  expect(requests).toEqual([]);
});

test("closing fails what waits, ends what is read, and may be done twice", async () => {
  const { session } = await conversation();
  using events = session.events();
  const call = rejection(session.execute("x"));
  await Promise.all([session.close(), session[Symbol.asyncDispose]()]);
  expect(await call).toMatchObject({ code: "closed", message: "x: the session was closed here", sent: true });
  expect(await events.next()).toEqual({ value: undefined, done: true });
  expect(await session.closed).toEqual({ by: "us" });
  expect(await rejection(session.execute("x"))).toBeInstanceOf(ClosedError);
});

test("an error shows its caller, through any number of awaits", async () => {
  const { session, heard, say } = await conversation();
  async function theCaller(): Promise<unknown> {
    return session.execute("x-fails");
  }
  const call = theCaller();
  say({ error: { class: "GenericError", desc: "d" }, id: (await heard(1))[0]?.id });
  const error = await rejection(call);
  expect(error).toBeInstanceOf(CommandError);
  expect(error.stack).toMatch(/^CommandError: x-fails: d\n {4}at theCaller/);
});

test("a reply of 12 MiB comes whole", async () => {
  const text = "é".repeat(6 * 1024 * 1024);
  await using server = await monitor((request, client) => client.write(`${JSON.stringify({ return: text, id: request.id })}\r\n`));
  await using session = await connect(server.address);
  expect(await session.execute("x-big")).toBe(text);
});
