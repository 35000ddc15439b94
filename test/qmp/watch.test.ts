import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { type Sight, watch } from "../../src/qmp/watch.ts";
import { type Listening, monitor, rejection } from "./peer.ts";

const EVENT = (name: string): string => `{"timestamp":{"seconds":1,"microseconds":2},"event":"${name}"}\r\n`;
const BRISK = { first: 1, longest: 4 };

/** A machine whose connections can be cut; each answers its number, and then says an event. */
async function machine(): Promise<Listening & { readonly clients: Socket[] }> {
  const clients: Socket[] = [];
  const server = await monitor((request, client) => {
    clients.push(client);
    client.write(`${JSON.stringify({ return: clients.length, id: request.id })}\r\n${EVENT("A")}${EVENT("B")}`);
  });
  return Object.assign(server, { clients });
}

async function take<T>(watcher: AsyncIterator<T>): Promise<T> {
  const { value, done } = await watcher.next();
  if (done === true) throw new Error("the watcher ended");
  return value;
}

test("a watcher comes back after a break, marks the gap, and reads the state anew", async () => {
  await using server = await machine();
  await using watcher = watch(server.address, { events: ["A"], read: (session) => session.execute("x-state"), backoff: BRISK });
  expect(await take(watcher)).toMatchObject({ kind: "up", state: 1, gap: undefined });
  expect(await take(watcher)).toMatchObject({ kind: "event", event: { event: "A" } });
  server.clients[0]?.destroy();
  expect(await take(watcher)).toMatchObject({ kind: "down", attempt: 1, error: { code: "closed" } });
  const back = (await take(watcher)) as Extract<Sight<unknown>, { kind: "up" }>;
  expect(back).toMatchObject({ kind: "up", state: 2, gap: { cause: { code: "closed" } } });
  expect(back.gap?.until).toBeGreaterThanOrEqual(back.gap?.since as number);
  expect(await take(watcher)).toMatchObject({ kind: "event" });
});

test("a machine that is not there is asked for again, less and less often", async () => {
  await using watcher = watch("unix:/nonexistent/monitor.sock", { backoff: { first: 2, longest: 9 } });
  for (const [index, most] of [2, 4, 8, 9, 9].entries()) {
    const sight = (await take(watcher)) as Extract<Sight<unknown>, { kind: "down" }>;
    expect(sight).toMatchObject({ kind: "down", attempt: index + 1, error: { code: "connect" } });
    expect(sight.retryIn).toBeLessThanOrEqual(most);
    expect(sight.retryIn).toBeGreaterThanOrEqual(most / 2);
  }
});

test("a reader that is too slow learns of the gap, on the same connection", async () => {
  await using server = await machine();
  await using watcher = watch(server.address, { bound: 1, read: (session) => session.execute("x-state"), backoff: BRISK });
  const first = (await take(watcher)) as Extract<Sight<unknown>, { kind: "up" }>;
  expect(await take(watcher)).toMatchObject({ kind: "event", event: { event: "A" } });
  const second = await take(watcher);
  expect(second).toMatchObject({ kind: "up", state: 2, gap: { cause: { code: "overflow", bound: 1 } }, session: first.session });
});

test("a machine that stands still without a word is found out, and left", async () => {
  // It greets, and then answers nothing at all.
  await using server = await monitor(() => {});
  const left = new Promise((resolve) => server.server.once("connection", (client: Socket) => client.once("close", resolve)));
  await using watcher = watch(server.address, { heartbeat: 20, backoff: { first: 60_000, longest: 60_000 } });
  expect(await take(watcher)).toMatchObject({ kind: "up" });
  expect(await take(watcher)).toMatchObject({ kind: "down", error: { code: "timeout", where: "wedged" } });
  await left;
});

test.each(["waiting", "pausing"] as const)("leaving ends it and lets go of the connection (%s)", async (when) => {
  await using server = await machine();
  const watcher = watch(server.address, { events: "NEVER", backoff: { first: 60_000, longest: 60_000 } });
  const up = (await take(watcher)) as Extract<Sight<unknown>, { kind: "up" }>;
  if (when === "pausing") {
    await rm(server.address.slice("unix:".length));
    await up.session.close();
    expect(await take(watcher)).toMatchObject({ kind: "down" });
  }
  const waiting = watcher.next();
  await watcher.return();
  expect(await waiting).toEqual({ value: undefined, done: true });
  expect((await up.session.closed).by).toBe("us");
  expect(await watcher.next()).toEqual({ value: undefined, done: true });
});

test("the signal ends it with its reason, and a mistake of ours is thrown", async () => {
  await using server = await machine();
  const controller = new AbortController();
  const watcher = watch(server.address, { signal: controller.signal });
  await take(watcher);
  const waiting = rejection(watcher.next());
  controller.abort("why");
  expect(await waiting).toBe("why");
  expect(await rejection(watch("nowhere").next())).toBeInstanceOf(UsageError);
  expect(await rejection(watch(server.address, { backoff: { first: 0 } }).next())).toBeInstanceOf(UsageError);
});

test("break in a for await lets go of the connection", async () => {
  await using server = await machine();
  const seen: Sight<unknown>[] = [];
  for await (const sight of watch(server.address)) {
    seen.push(sight);
    break;
  }
  expect(seen).toMatchObject([{ kind: "up" }]);
  expect(await (seen[0] as Extract<Sight<unknown>, { kind: "up" }>).session.closed).toEqual({ by: "us" });
});
