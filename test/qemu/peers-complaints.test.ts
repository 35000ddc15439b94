import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { connect as netConnect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { connect, open, type SlowNotice } from "../../src/qmp/session.ts";
import { Framer, type Frames } from "../../src/wire/framing.ts";
import { Intake, socketTransport } from "../../src/wire/socket.ts";
import { rejection } from "../qmp/peer.ts";
import { block } from "./fifo.ts";
import { freeze } from "./freeze.ts";

/** Every read is one byte long. */
class Dripping extends Framer {
  override read(chunk: Uint8Array): Frames {
    const parts = Array.from(chunk, (byte) => super.read(Uint8Array.of(byte)));
    return { messages: parts.flatMap(({ messages }) => messages), fault: parts.find(({ fault }) => fault !== undefined)?.fault };
  }
}

/** What this process holds of the system: open descriptors, and what keeps the event loop going. */
async function held(): Promise<ReadonlyMap<string, number>> {
  const counts = new Map([["descriptor", (await readdir("/proc/self/fd")).length]]);
  for (const what of process.getActiveResourcesInfo()) counts.set(what, (counts.get(what) ?? 0) + 1);
  return counts;
}

/** What there is more of than there was. Less is no fault: something of ours may still have been on its way out. */
async function grownSince(before: ReadonlyMap<string, number>): Promise<readonly string[]> {
  return [...(await held())]
    .filter(([what, count]) => count > (before.get(what) ?? 0))
    .map(([what, count]) => `${what}: ${before.get(what)} to ${count}`);
}

// Each is a complaint of users of other clients; those that other files show are listed in README.md.
describe.each(await qemus())("QEMU $version", ({ binary }) => {
  test("fixed time-outs, wrong on busy hosts: a reply that came while we were held up is no late one, and a QEMU that was held up is waited for", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const slow: SlowNotice[] = [];
    await using session = await connect(machine.address, { onSlow: (notice) => slow.push(notice) });
    const mark = join(machine.folder, "mark");
    const timeout = 50;
    const call = session.execute("query-version", {}, { timeout });
    // Answered in order: when the file is there, the first reply has been written.
    const after = session.execute("chardev-add", { id: "mark", backend: { type: "file", data: { out: mark } } });
    await new Promise((resolve) => setImmediate(resolve));
    const late = performance.now() + 2 * timeout;
    while (performance.now() < late || !existsSync(mark));
    expect(await call).toEqual(session.greeting.version);
    await after;
    await freeze(machine.pid);
    slow.length = 0;
    const patient = session.execute("query-version", {}, { timeout: 60_000 });
    expect(await rejection(session.execute("query-name", {}, { timeout: 30 }))).toMatchObject({ code: "timeout" });
    expect(slow).toMatchObject([{ command: "query-name", timeout: 30 }]);
    process.kill(machine.pid, "SIGCONT");
    expect(await patient).toEqual(session.greeting.version);
  });

  test("corrupted replies: large ones of two connections, asked for all at once in a storm of events, are each as they were alone", async () => {
    await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
    await using one = await connect(machine.address);
    await using other = await connect(`unix:${machine.monitors[1]}`);
    const alone = JSON.stringify(await one.execute("query-qmp-schema"));
    using events = one.events(["STOP", "RESUME"]);
    const replies = Array.from({ length: 8 }, async (_, index) => {
      const session = index % 2 === 0 ? one : other;
      await session.execute("cont");
      const schema = await session.execute("query-qmp-schema");
      await session.execute("stop");
      return JSON.stringify(schema) === alone;
    });
    expect(await Promise.all(replies)).toEqual(replies.map(() => true));
    expect((await events.next()).value?.event).toBe("RESUME");
  });

  test("loops and leaks after a disconnect: of sessions whose QEMU went, or that were closed in the middle, nothing is left", async () => {
    await using folder = await privateFolder();
    const round = async (turn: number): Promise<void> => {
      await using machine = await launch(binary, NO_GUEST, { folder: folder.path });
      const session = await connect(machine.address);
      // It may get its turn yet, before all ends.
      const waiting = connect(machine.address, { timeout: 60_000 }).then(
        (second) => second.close(),
        () => {},
      );
      const stuck = await block(machine.folder);
      using events = session.events();
      const calls = [
        session.execute(stuck.command, stuck.parameters),
        session.executeOob("query-version"),
        session.execute("query-name"),
        session.waitFor("STOP", { timeout: 60_000 }),
        events.next(),
      ].map((call) => call.catch((error: unknown) => error));
      await stuck.begun(machine.pid);
      if (turn % 2 === 0) await session.close();
      await machine.kill();
      await session.closed;
      await Promise.all([...calls, waiting]);
      expect(await rejection(session.execute("query-name"))).toMatchObject({ code: "closed", sent: false });
    };
    await round(0);
    let before: ReadonlyMap<string, number> = new Map();
    // In a poll as below, whose own timers count too.
    await expect.poll(async () => (before = await held()).size).toBeGreaterThan(0);
    for (let turn = 0; turn < 8; turn++) await round(turn);
    await expect.poll(() => grownSince(before)).toEqual([]);
  });

  test("a CRLF split across reads, and everything else: real QEMU, read byte by byte", async () => {
    await using folder = await privateFolder();
    const path = join(folder.path, "pretty.sock");
    await using machine = await launch(binary, [
      ...NO_GUEST,
      "-chardev",
      `socket,id=pretty,path=${path},server=on,wait=off`,
      "-mon",
      "chardev=pretty,mode=control,pretty=on",
    ]);
    for (const at of [machine.monitors[0] as string, path]) {
      const socket = netConnect({ path: at });
      await once(socket, "connect");
      await using session = await open(socketTransport(socket, at, new Intake(new Dripping(at))));
      const resumed = session.waitFor("RESUME");
      await session.execute("cont");
      expect((await resumed).event).toBe("RESUME");
      const id = 'é 🖥 \r\n \\ " \u007f';
      expect(await session.exchange({ execute: "query-name", id })).toEqual({ return: {}, id });
      expect((await session.execute("query-commands")).length).toBeGreaterThan(100);
      await session.execute("stop");
    }
  });
});

// At the same time, as they only wait.
test.concurrent.each(await qemus())(
  "QEMU $version: hangs without a deadline: nobody has to name one, to connect or to call, and it ends all the same",
  async ({ binary }) => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address, { timeouts: { "*": 300 } });
    await freeze(machine.pid);
    const [call, second] = await Promise.all([rejection(session.execute("query-name")), rejection(connect(machine.address))]);
    expect(call).toMatchObject({ code: "timeout", timeout: 300, where: "wedged" });
    expect(second).toMatchObject({ code: "greeting", message: expect.stringContaining("within 5 s") });
    process.kill(machine.pid, "SIGCONT");
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
  },
);
