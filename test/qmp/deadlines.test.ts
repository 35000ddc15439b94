import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { QmpctlError } from "../../src/errors.ts";
import { TimeoutError } from "../../src/qmp/errors.ts";
import { probe } from "../../src/qmp/oob.ts";
import { connect, type LateReply, open, type SlowNotice } from "../../src/qmp/session.ts";
import { timeoutOf } from "../../src/qmp/timeouts.ts";
import { conversation, GREETING, peer, type Peer, rejection } from "./peer.ts";

const NO_OOB = { QMP: { ...(GREETING["QMP"] as object), capabilities: [] } };

/** Answers what comes out of band, as a monitor does whose dispatcher is busy. */
async function answerOob(other: Peer): Promise<void> {
  for (let count = 1; ; count++) {
    const request = (await other.heard(count))[count - 1];
    if (request?.["exec-oob"] !== undefined)
      other.say({ error: { class: "GenericError", desc: "The command query-version does not support OOB" }, id: request.id });
  }
}

test("a deadline tells a command that was not sent from one that was", async () => {
  const { session, requests } = await conversation({ greeting: NO_OOB });
  const slow = Array.from({ length: 8 }, () => rejection(session.execute("x-slow", {}, { timeout: 40 })));
  const queued = await rejection(session.execute("x-queued", {}, { timeout: 20 }));
  expect(queued).toBeInstanceOf(TimeoutError);
  expect(queued).toMatchObject({ code: "timeout", command: "x-queued", timeout: 20, where: "queued" });
  expect(queued.message).toBe("x-queued: no answer within 20 ms: it was still waiting here behind other commands, and was not sent");
  for (const error of await Promise.all(slow))
    expect(error).toMatchObject({ where: "unanswered", message: "x-slow: no answer within 40 ms: it was sent and may still run" });
  expect(requests).toHaveLength(8);
});

test("R34: if the monitor can be asked out of band, a slow command can be told from a hanging monitor", async () => {
  const alive = await conversation();
  void answerOob(alive);
  expect(await rejection(alive.session.execute("x-slow", {}, { timeout: 600 }))).toMatchObject({ where: "busy" });
  const hanging = await conversation();
  expect(await rejection(hanging.session.execute("x-slow", {}, { timeout: 200 }))).toMatchObject({ where: "wedged" });
  expect(hanging.requests.map((request) => request["exec-oob"])).toEqual([undefined, "query-version"]);
});

test("a soft notice comes before the deadline, once, to the call and to the session", async () => {
  const told: SlowNotice[] = [];
  const order: string[] = [];
  const other = peer({ greeting: NO_OOB });
  await using session = await open(other.transport, { onSlow: (notice) => told.push(notice) });
  const call = session.execute("x-slow", {}, { timeout: 40, onSlow: (notice) => (told.push(notice), order.push("slow")) });
  await rejection(call).then(() => order.push("late"));
  expect(order).toEqual(["slow", "late"]);
  expect(told).toHaveLength(2);
  for (const notice of told) expect(notice).toMatchObject({ command: "x-slow", timeout: 40, where: "unanswered" });
  expect(told[0]?.elapsed).toBeGreaterThanOrEqual(19);
});

test("a reply that came while this process was held up is not late", async () => {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const answered = join(folder, "answered");
  // Another process, so that it can answer while this one does nothing but look for its mark.
  const program = `const say = (message) => require("node:fs").writeSync(1, JSON.stringify(message) + "\\n");
    say(${JSON.stringify(GREETING)});
    require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const { execute, id } = JSON.parse(line);
      say({ return: execute, id });
      if (execute === "x-quick") require("node:fs").writeFileSync(${JSON.stringify(answered)}, "");
    });`;
  await using session = await connect({ kind: "exec", command: [process.execPath, "-e", program] });
  const timeout = 50;
  const call = session.execute("x-quick", {}, { timeout });
  await new Promise((resolve) => setImmediate(resolve));
  const late = performance.now() + 2 * timeout;
  while (performance.now() < late || !existsSync(answered));
  expect(await call).toBe("x-quick");
  await rm(folder, { recursive: true });
});

test("R35: a late reply can be observed", async () => {
  const late: LateReply[] = [];
  const other = peer({ greeting: NO_OOB });
  await using session = await open(other.transport, { onLate: (reply) => late.push(reply) });
  await rejection(session.execute("x-slow", {}, { timeout: 10 }));
  other.say({ return: "after all", id: other.requests[0]?.id });
  await expect.poll(() => late.length).toBe(1);
  expect(late[0]).toMatchObject({ command: "x-slow", reply: { return: "after all" } });
  expect(late[0]?.elapsed).toBeGreaterThanOrEqual(9);
});

test("deadlines by command: the caller's, then those for slow ones, then thirty seconds", () => {
  expect(timeoutOf("query-name", undefined)).toBe(30_000);
  expect(timeoutOf("device_del", undefined)).toBe(60_000);
  expect(timeoutOf("blockdev-add", undefined)).toBe(600_000);
  expect(timeoutOf("blockdev-add", { "*": 7 })).toBe(7);
  expect(timeoutOf("blockdev-add", { "*": 7, "blockdev-add": 8 })).toBe(8);
  expect(timeoutOf("constructor", {})).toBe(30_000);
});

test("a session's own table of deadlines is heeded", async () => {
  const other = peer({ greeting: NO_OOB });
  await using session = await open(other.transport, { timeouts: { "x-slow": 15 } });
  expect(await rejection(session.execute("x-slow"))).toMatchObject({ timeout: 15 });
});

test("a timeout of any length, and none", async () => {
  const { session, heard, requests, say } = await conversation();
  const calls = [session.execute("x", {}, { timeout: Infinity }), session.execute("x", {}, { timeout: 2 ** 40 })];
  await heard(2);
  say(...requests.map((request) => ({ return: 1, id: request.id })));
  expect(await Promise.all(calls)).toEqual([1, 1]);
  await session.close();
});

test("a probe tells ready, busy, dead and silent", async () => {
  const ready = await conversation();
  const asked = probe(ready.session);
  const requests = await ready.heard(2);
  ready.say(
    { return: { qemu: { major: 7, minor: 2, micro: 0 }, package: "" }, id: requests[0]?.id },
    { error: { class: "GenericError", desc: "no" }, id: requests[1]?.id },
  );
  expect(await asked).toBe("ready");
  const busy = await conversation();
  void answerOob(busy);
  expect(await probe(busy.session, { timeout: 30 })).toBe("busy");
  expect(await probe((await conversation()).session, { timeout: 30 })).toBe("dead");
  expect(await probe((await conversation({ greeting: NO_OOB })).session, { timeout: 30 })).toBe("silent");
});

test("R3, R9: out of band is refused where the monitor has no such thing", async () => {
  const { session } = await conversation({ greeting: NO_OOB });
  const error = await rejection(session.executeOob("migrate-pause"));
  expect(error).toBeInstanceOf(QmpctlError);
  expect(error).toMatchObject({ code: "refused", message: "migrate-pause: this monitor takes no commands out of band" });
});

test("R31: an out-of-band command passes those that wait", async () => {
  const { session, heard } = await conversation();
  const waiting = Array.from({ length: 20 }, () => rejection(session.execute("x-slow")));
  const oob = rejection(session.executeOob("migrate-pause"));
  expect((await heard(9))[8]?.["exec-oob"]).toBe("migrate-pause");
  await session.close();
  await Promise.all([...waiting, oob]);
});
