import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { OverflowError } from "../../src/qmp/errors.ts";
import type { QmpEvent } from "../../src/schema/event.ts";
import { conversation, rejection } from "./peer.ts";

const delivered = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const timestamp = { seconds: 1, microseconds: 2 };
const event = (name: string, data?: object): object => ({ event: name, ...(data === undefined ? {} : { data }), timestamp });

async function take(stream: AsyncIterator<QmpEvent>, count: number): Promise<string[]> {
  const names: string[] = [];
  while (names.length < count) names.push((await stream.next()).value?.event);
  return names;
}

test("R39, R40: each subscriber gets each event it asked for, from the moment it subscribed", async () => {
  const { session, heard, say } = await conversation();
  using all = session.events();
  using stop = session.events("STOP");
  using both = session.events(["STOP", "RESUME"]);
  using big = session.events((one) => (one.data as { size?: number } | undefined)?.size === 2);
  const call = session.execute("cont");
  const id = (await heard(1))[0]?.id;
  // An event can come before the reply of the command that caused it.
  say(event("STOP"), event("RESUME"), event("X", { size: 1 }), event("X", { size: 2 }), { return: {}, id });
  await call;
  using late = session.events();
  say(event("STOP"));
  expect(await take(all, 5)).toEqual(["STOP", "RESUME", "X", "X", "STOP"]);
  expect(await take(stop, 2)).toEqual(["STOP", "STOP"]);
  expect(await take(both, 3)).toEqual(["STOP", "RESUME", "STOP"]);
  expect((await big.next()).value?.data).toEqual({ size: 2 });
  expect(await take(late, 1)).toEqual(["STOP"]);
});

test("R42: a slow reader costs the others nothing, and ends at its bound with an error that names it", async () => {
  const { session, say } = await conversation();
  using slow = session.events(undefined, { bound: 3 });
  using quick = session.events();
  for (let count = 0; count < 5; count++) say(event("E"));
  expect(await take(quick, 5)).toHaveLength(5);
  expect(await take(slow, 3)).toEqual(["E", "E", "E"]);
  const error = await rejection(slow.next());
  expect(error).toBeInstanceOf(OverflowError);
  expect(error).toMatchObject({ code: "overflow", bound: 3, message: "event stream: more than 3 events wait to be read" });
  expect(await slow.next()).toEqual({ value: undefined, done: true });
});

test("a reader in between keeps a stream below its bound for ever", async () => {
  const { session, say } = await conversation();
  using stream = session.events(undefined, { bound: 2 });
  for (let round = 0; round < 3000; round++) {
    say(event("A"), event("B"));
    expect(await take(stream, 2)).toEqual(["A", "B"]);
  }
});

test("streams end with the reason when the peer goes, after what they hold", async () => {
  const { session, say, end } = await conversation();
  using stream = session.events();
  using waiting = session.events("NEVER");
  const ended = rejection(waiting.next());
  say(event("LAST"));
  end(new Error("read ECONNRESET"));
  const error = await ended;
  expect(error).toMatchObject({ code: "closed", message: "fake: the connection broke: read ECONNRESET" });
  expect(await take(stream, 1)).toEqual(["LAST"]);
  expect(await rejection(stream.next())).toBe(error);
  expect(await rejection(session.events().next())).toBe(error);
});

test("a for await ends by itself when the session is closed here, and leaves by break", async () => {
  const { session, say } = await conversation();
  const seen: string[] = [];
  say(event("EARLY"));
  await delivered();
  const watching = (async () => {
    for await (const one of session.events(["A"])) seen.push(one.event);
    return "ended";
  })();
  for (const reader of [session.events()]) {
    say(event("A"));
    for await (const one of reader) {
      seen.push(`first ${one.event}`);
      break;
    }
    expect(await reader.next()).toEqual({ value: undefined, done: true });
  }
  await session.close();
  expect(await watching).toBe("ended");
  expect(seen.toSorted()).toEqual(["A", "first A"]);
});

test("a predicate that throws ends its own stream only", async () => {
  const { session, say } = await conversation();
  const mistake = new Error("in the filter");
  using broken = session.events(() => {
    throw mistake;
  });
  using fine = session.events();
  say(event("A"));
  expect(await rejection(broken.next())).toBe(mistake);
  expect(await take(fine, 1)).toEqual(["A"]);
});

test("R43: an event's data may have more members; data of another shape ends the streams that want it, and no other", async () => {
  const { session, say } = await conversation();
  using gone = session.events("DEVICE_DELETED");
  using stop = session.events("STOP");
  say(event("DEVICE_DELETED", { path: "/machine/a", more: 1 }), event("DEVICE_DELETED", { path: 5 }), event("STOP"));
  expect((await gone.next()).value?.data).toEqual({ path: "/machine/a", more: 1 });
  expect((await rejection(gone.next())).message).toContain(
    "DEVICE_DELETED: data that is not as QEMU documents it: path: expected string, received number",
  );
  expect(await take(stop, 1)).toEqual(["STOP"]);
});

test("several readers of one stream share it", async () => {
  const { session, say } = await conversation();
  using stream = session.events();
  const readers = [stream.next(), stream.next(), stream.next()];
  say(event("A"), event("B"));
  await delivered();
  await session.close();
  expect((await Promise.all(readers)).map((item) => item.value?.event)).toEqual(["A", "B", undefined]);
});

test("a bound below one is refused", async () => {
  const { session } = await conversation();
  expect(() => session.events(undefined, { bound: 0 })).toThrow(UsageError);
});

test("filters go by name and by data", async () => {
  const { session, say } = await conversation();
  using one = session.events("DEVICE_DELETED", { where: (gone) => gone.data.device === "b" });
  say(event("DEVICE_DELETED", { device: "a", path: "/a" }), event("X"), event("DEVICE_DELETED", { device: "b", path: "/b" }));
  expect((await one.next()).value?.data.path).toBe("/b");
});

test("R39: waitFor is armed when it is called, not when it is awaited", async () => {
  const { session, heard, say } = await conversation();
  const stopped = session.waitFor("STOP", { timeout: 1000 });
  const call = session.execute("stop");
  const id = (await heard(1))[0]?.id;
  say(event("STOP"), { return: {}, id });
  await call;
  expect((await stopped).event).toBe("STOP");
});

test("waitFor has a deadline and a signal, and ends with the session; no rejection goes unhandled", async () => {
  const { session, end } = await conversation();
  expect(await rejection(session.waitFor(["A", "B"], { timeout: 10 }))).toMatchObject({
    code: "timeout",
    message: "A or B: no answer within 10 ms: no such event came",
  });
  const controller = new AbortController();
  const aborted = session.waitFor("A", { signal: controller.signal });
  controller.abort("why");
  expect(await rejection(aborted)).toBe("why");
  void session.waitFor("NOBODY");
  const ended = session.waitFor(() => true);
  end();
  expect(await rejection(ended)).toMatchObject({ code: "closed", message: "fake: the peer closed the connection" });
  expect(await rejection(session.waitFor("A"))).toMatchObject({ code: "closed" });
});

test("waitFor tells when it was us who closed", async () => {
  const { session } = await conversation();
  const waiting = session.waitFor("A");
  await session.close();
  expect(await rejection(waiting)).toMatchObject({ code: "closed", message: "A: the session was closed here" });
});
