import { expect, test, vi } from "vitest";
import { powerDown, quit, unplug } from "../../src/qmp/endings.ts";
import { conversation, type Peer, rejection } from "./peer.ts";

const timestamp = { seconds: 1, microseconds: 2 };
const SHUTDOWN = { event: "SHUTDOWN", data: { guest: true, reason: "guest-shutdown" }, timestamp };

/** Answers each request by its command; undefined leaves it unanswered. */
async function serve(other: Peer, answer: (command: string, count: number) => object | undefined): Promise<void> {
  for (let count = 1; ; count++) {
    const request = (await other.heard(count))[count - 1];
    const reply = answer(request?.execute ?? "", count);
    if (reply !== undefined) other.say({ ...reply, id: request?.id });
  }
}

test.each<[string, (other: Peer, id: string) => void]>([
  ["reply, then the end", (other, id) => (other.say({ return: {}, id }), other.end())],
  ["the end only", (other) => other.end()],
  ["a reset", (other) => other.end(new Error("read ECONNRESET"))],
])("R38: quit is done when QEMU has gone: %s", async (_, go) => {
  const other = await conversation();
  const done = quit(other.session);
  const [request] = await other.heard(1);
  expect(request?.execute).toBe("quit");
  go(other, request?.id as string);
  await done;
  expect((await other.session.closed).by).toBe("peer");
});

test("R38: a reply to quit is not the end yet, and a deadline says so", async () => {
  const other = await conversation();
  void serve(other, () => ({ return: {} }));
  expect(await rejection(quit(other.session, { timeout: 20 }))).toMatchObject({ code: "timeout", command: "quit" });
});

test("quit that QEMU refuses, that is aborted, or that we cut off ourselves", async () => {
  const refusing = await conversation();
  void serve(refusing, () => ({ error: { class: "GenericError", desc: "no" } }));
  expect(await rejection(quit(refusing.session))).toMatchObject({ code: "command", desc: "no" });
  const { session } = await conversation();
  expect(await rejection(quit(session, { signal: AbortSignal.abort("why") }))).toBe("why");
  const cut = rejection(quit(session));
  await session.close();
  expect(await cut).toMatchObject({ code: "closed" });
});

test("a guest that shuts down says why; one that takes QEMU with it says nothing; one that does not listen runs into the deadline", async () => {
  const polite = await conversation();
  void serve(polite, () => (polite.say(SHUTDOWN), { return: {} }));
  expect(await powerDown(polite.session)).toEqual(SHUTDOWN.data);
  const abrupt = await conversation();
  const gone = powerDown(abrupt.session);
  await abrupt.heard(1);
  abrupt.end();
  expect(await gone).toBeUndefined();
  const deaf = await conversation();
  void serve(deaf, () => ({ return: {} }));
  expect(await rejection(powerDown(deaf.session, { timeout: 20 }))).toMatchObject({ code: "timeout", command: "system_powerdown" });
});

const NOT_FOUND = { error: { class: "DeviceNotFound", desc: "Device '/machine/peripheral/d' not found" } };
const THERE = { return: [] };

test("an unplug without any event is seen in the state", async () => {
  const other = await conversation();
  void serve(other, (command, count) => (command === "device_del" ? { return: {} } : count < 4 ? THERE : NOT_FOUND));
  expect(await unplug(other.session, "d")).toEqual({ outcome: "gone" });
});

test("an unplug that the guest refuses has the guest's event; that of another device does not count", async () => {
  const other = await conversation();
  const refusal = { event: "DEVICE_UNPLUG_GUEST_ERROR", data: { device: "d", path: "/machine/peripheral/d" }, timestamp };
  void serve(other, (command, count) => {
    if (command === "device_del") return { return: {} };
    if (count === 2) other.say({ event: "MEM_UNPLUG_ERROR", data: { device: "e", msg: "m" }, timestamp });
    if (count === 3) other.say(refusal);
    return THERE;
  });
  expect(await unplug(other.session, "d")).toEqual({ outcome: "refused", said: refusal });
});

test("an unplug that does not happen in time is pending, with the guest's last word", async () => {
  const other = await conversation();
  const underWay = {
    event: "ACPI_DEVICE_OST",
    data: { info: { device: "d", slot: "1", "slot-type": "CPU", source: 3, status: 132 } },
    timestamp,
  };
  void serve(other, (command) => (command === "device_del" ? (other.say(underWay), { return: {} }) : THERE));
  expect(await unplug(other.session, "d", { timeout: 50 })).toEqual({ outcome: "pending", said: underWay });
});

test("an unplug asks for the state no longer than its deadline leaves, and 2 s at least", async () => {
  vi.useFakeTimers();
  try {
    const other = await conversation();
    void serve(other, (command) => (command === "device_del" ? { return: {} } : undefined));
    const failed = rejection(unplug(other.session, "d", { timeout: 5000 }));
    await vi.advanceTimersByTimeAsync(5001);
    expect(await failed).toMatchObject({ code: "timeout", command: "qom-list", timeout: 5000 });
    const late = await conversation();
    void serve(late, (command) => (command === "device_del" ? { return: {} } : undefined));
    const soon = rejection(unplug(late.session, "d", { timeout: 1 }));
    await vi.advanceTimersByTimeAsync(2001);
    expect(await soon).toMatchObject({ code: "timeout", command: "qom-list", timeout: 2000 });
  } finally {
    vi.useRealTimers();
  }
});
