import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { connect } from "../../src/qmp/session.ts";
import { ProtocolError } from "../../src/wire/errors.ts";
import { conversation, monitor, rejection } from "./peer.ts";

test.each<[string, unknown, unknown]>([
  ["a number", 7, 7],
  ["zero and a sign", -0, 0],
  ["a fraction", 0.1, 0.1],
  ["2^64-1", 2n ** 64n - 1n, 2n ** 64n - 1n],
  ["null", null, null],
  ["false", false, false],
  ["an empty string", "", ""],
  ["a list", [1, [null]], [1, [null]]],
  ["an object whose members come back in another order", { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
])("R12: an id may be any JSON value: %s", async (_, id, echoed) => {
  const { session, say, lines } = await conversation();
  const call = session.exchange({ execute: "x", id });
  await expect.poll(() => lines.length).toBe(2);
  say({ return: 0, id: `${String(id)}-other` }, { return: 1, id: echoed });
  expect(await call).toEqual({ return: 1, id: echoed });
});

test("R12: a raw request goes out as it stands, and its error comes back as the reply", async () => {
  const { session, say, heard, lines } = await conversation();
  const call = session.exchange({ execute: "x", "exec-oob": "y", arguments: null });
  const id = (await heard(1))[0]?.id;
  expect(lines[1]).toBe(`{"execute":"x","exec-oob":"y","arguments":null,"id":${String(id)}}`);
  const reply = { error: { class: "GenericError", desc: "clashes" }, id };
  say(reply);
  expect(await call).toEqual(reply);
});

test("an id that another call in flight has is refused", async () => {
  const { session } = await conversation();
  const first = rejection(session.exchange({ execute: "x", id: 1 }));
  expect(await rejection(session.exchange({ execute: "x", id: 1 }))).toBeInstanceOf(UsageError);
  await session.close();
  await first;
});

test("R19: a reply with a number that is not JSON fails its own call, with the bytes; the session goes on", async () => {
  await using server = await monitor((request, client) =>
    client.write(`{"return":${request.execute === "query-migrate" ? '{"mbps":inf}' : "1"},"id":${JSON.stringify(request.id)}}\r\n`),
  );
  await using session = await connect(server.address);
  const [broken, whole] = [rejection(session.execute("query-migrate")), session.execute("x")];
  expect(await whole).toBe(1);
  expect(await broken).toBeInstanceOf(ProtocolError);
  expect((await broken).message).toMatch(/^query-migrate: a reply that can't be read: ".*mbps\\":inf/);
});

test("R19: an event with such a number ends the streams that want it, and no other", async () => {
  await using server = await monitor((_, client) =>
    client.write(
      '{"timestamp":{"seconds":1,"microseconds":2},"event":"A","data":{"x":nan}}{"timestamp":{"seconds":1,"microseconds":2},"event":"B"}',
    ),
  );
  await using session = await connect(server.address);
  using damaged = session.events("A");
  using other = session.events("B");
  const call = rejection(session.execute("x"));
  expect((await other.next()).value?.event).toBe("B");
  expect(await rejection(damaged.next())).toBeInstanceOf(ProtocolError);
  await session.close();
  await call;
});

test("an unknown id costs no work, however large it is", async () => {
  const { session, say, requests } = await conversation();
  const members = Object.fromEntries(Array.from({ length: 500_000 }, (_, index) => [`m${(index * 7919) % 500_000}`, index]));
  let nested: unknown = "x".repeat(100_000);
  for (let level = 0; level < 1000; level++) nested = [nested, 1];
  const before = performance.now();
  const first = session.exchange({ execute: "x" });
  for (let count = 0; count < 50; count++) say({ return: 0, id: members }, { return: 0, id: nested }, { return: 0, id: 7n ** 20n });
  await expect.poll(() => requests.length).toBe(1);
  say({ return: 1, id: requests[0]?.id });
  expect(await first).toMatchObject({ return: 1 });
  // 30 s where each id was written out and sorted.
  expect(performance.now() - before).toBeLessThan(2000);
  // With an id that is no number among ours, those that are longer are not written out either.
  const second = session.exchange({ execute: "x", id: { a: "long", b: undefined } });
  for (let count = 0; count < 50; count++) say({ return: 0, id: nested });
  say({ return: 2, id: { a: "long" } });
  expect(await second).toMatchObject({ return: 2 });
  expect(performance.now() - before).toBeLessThan(4000);
});
