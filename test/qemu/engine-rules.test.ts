import { once } from "node:events";
import { open as openFile, truncate, writeFile } from "node:fs/promises";
import { connect as netConnect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { CommandError, NegotiationError } from "../../src/qmp/errors.ts";
import { connect, type LateReply, open } from "../../src/qmp/session.ts";
import { spawnQemu } from "../../src/qmp/spawn.ts";
import type { QmpEvent } from "../../src/schema/event.ts";
import { socketTransport } from "../../src/wire/socket.ts";
import type { Message } from "../../src/wire/transport.ts";
import { rejection } from "../qmp/peer.ts";
import { between, namelessError, standing } from "./between.ts";
import { block } from "./fifo.ts";

const BARE = ["-display", "none", "-nodefaults", "-no-user-config", ...NO_GUEST];

/** A greeting that offers these capabilities, whatever QEMU said. */
const offering =
  (...capabilities: string[]) =>
  (batch: readonly Message[]): readonly Message[] =>
    batch.map((message) => ("QMP" in message ? { QMP: { ...(message["QMP"] as object), capabilities } } : message));

describe.each(await qemus())("QEMU $version", ({ binary }) => {
  test("R7: what somebody said too early is refused by QEMU in its own words, and does not pass for the session's own", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const wire = await between(machine.address);
    wire.say('{"execute":"query-name","id":"early"}\n');
    await using session = await open(wire.transport);
    expect(wire.heard.find((message) => message["id"] === "early")?.["error"]).toMatchObject({
      class: "CommandNotFound",
      desc: expect.stringContaining("Expecting capabilities negotiation with 'qmp_capabilities'"),
    });
    expect(await session.execute("query-name")).toEqual({});
  });

  test("R8: a capability that QEMU does not know is refused in its own words", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const { transport } = await between(machine.address, { send: (text) => text.replace('"oob"', '"telepathy"') });
    const error = await rejection(open(transport));
    expect(error).toBeInstanceOf(NegotiationError);
    expect(error.message).toMatch(/QEMU refused qmp_capabilities: .*telepathy/);
    await using session = await connect(machine.address);
    expect(session.oob).toBe(true);
  });

  test("R3, R9: where no oob is offered none is asked for, and QEMU takes none", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const wire = await between(machine.address, { hear: offering() });
    await using session = await open(wire.transport);
    expect(wire.sent[0]).not.toContain("oob");
    expect(await rejection(session.executeOob("query-yank"))).toMatchObject({
      code: "refused",
      message: "query-yank: this monitor takes no commands out of band",
    });
    expect((await session.exchange({ "exec-oob": "query-yank" }))["error"]).toMatchObject({
      desc: "QMP input member 'exec-oob' is unexpected",
    });
  });

  test("R14: requests are answered without the newline too, many in one piece", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const wire = await between(machine.address, { send: (text) => text.replaceAll("\n", "") });
    await using session = await open(wire.transport);
    const calls = Array.from({ length: 20 }, (_, index) => session.exchange({ execute: "query-name", id: `number ${index}` }));
    expect((await Promise.all(calls)).map((reply) => reply["id"])).toEqual(Array.from({ length: 20 }, (_, index) => `number ${index}`));
  });

  test("R16: strings with all that QEMU's own reader makes something of arrive as they are", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    for (const id of [
      "it's \\' and \"",
      "%d %s %p %%",
      "// no /* comment */",
      "\ufeffbom",
      "\t\n\r\u0001\u001f",
      "True, 1., +1, NaN",
      "{[}]",
    ]) {
      expect(await session.exchange({ execute: "query-name", id })).toEqual({ return: {}, id });
    }
  });

  test("R20: what goes out is one line of strict JSON a request; what comes may be laid out in any way", async () => {
    await using folder = await privateFolder();
    const path = join(folder.path, "pretty.sock");
    await using machine = await launch(binary, [
      ...NO_GUEST,
      "-chardev",
      `socket,id=pretty,path=${path},server=on,wait=off`,
      "-mon",
      "chardev=pretty,mode=control,pretty=on",
    ]);
    const wire = await between(`unix:${path}`);
    await using session = await open(wire.transport);
    const resumed = session.waitFor("RESUME");
    await session.execute("cont");
    await session.execute("blockdev-add", { driver: "null-co", "node-name": "n", size: 2 ** 40 });
    expect(
      await rejection(session.execute("human-monitor-command", { "command-line": "info \"é 🖥\" 'x'", "cpu-index": 2 ** 40 })),
    ).toBeInstanceOf(CommandError);
    expect((await resumed).event).toBe("RESUME");
    expect(machine.pid).toBeGreaterThan(1);
    expect(wire.sent.length).toBe(4);
    for (const line of wire.sent) {
      expect(line).toBe(JSON.stringify(JSON.parse(line)));
      expect(Object.keys(JSON.parse(line) as object).join()).toMatch(/^execute,(arguments,)?id$/);
    }
  });

  test("R22: one bad line on the wire gives several errors that are nobody's: a session opens after it, and goes on over it", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const wire = await between(machine.address);
    const bad = "Host: localhost, port: 4444, or so\r\n";
    wire.say(bad);
    await using session = await open(wire.transport);
    const errors = (): number => wire.heard.filter((message) => namelessError(message) !== undefined).length;
    const once = errors();
    expect(once).toBeGreaterThan(3);
    wire.say(`${bad}{"execute":"query-name","id":"mark"}\n`);
    await wire.saw((message) => message["id"] === "mark");
    expect(errors()).toBe(2 * once);
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
  });

  test.each([
    ["0x01", 0x01],
    ["0xff", 0xff],
  ])(
    "R23: after half a request of somebody else's, the byte %s brings QEMU back in step, and the session passes over its error",
    async (_, byte) => {
      await using machine = await launch(binary, NO_GUEST);
      const wire = await between(machine.address);
      wire.say('{"execute":"query-name","arguments":{"half":["a');
      wire.say(Uint8Array.of(byte));
      await using session = await open(wire.transport);
      expect(wire.heard.map(namelessError).filter(Boolean)).toEqual([expect.stringContaining("JSON parse error")]);
      wire.say(Uint8Array.of(byte));
      await wire.saw((message) => wire.heard.indexOf(message) > 2 && namelessError(message) !== undefined);
      expect(await session.execute("query-version")).toEqual(session.greeting.version);
    },
  );

  test("R24: QEMU waits without a word for the rest of a request: our deadline ends the wait, and what comes in the end is told as late", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const late: LateReply[] = [];
    // Without oob, as a probe on the same wire would be taken for the rest of the request.
    const wire = await between(machine.address, {
      hear: offering(),
      send: (text) => (text.includes("query-name") ? text.replace(/\}\n$/, "") : text),
    });
    await using session = await open(wire.transport, { onLate: (reply) => late.push(reply) });
    expect(await rejection(session.execute("query-name", undefined, { timeout: 50 }))).toMatchObject({
      code: "timeout",
      where: "unanswered",
    });
    wire.say("}");
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
    expect(late).toMatchObject([{ command: "query-name", reply: { return: {} } }]);
  });

  test("R27: replies to requests that are not the session's are dropped, with any id and with none", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const wire = await between(machine.address);
    await using session = await open(wire.transport);
    const strangers = ['"x"', "0", "null", "{}", "[]", "-1.5"].map((id) => `{"execute":"query-name","id":${id}}`);
    wire.say(`${strangers.join("")}{"execute":"query-name"}{"execute":"x-nosuch","id":"last"}\n`);
    await wire.saw((message) => message["id"] === "last");
    expect(wire.heard.length).toBeGreaterThanOrEqual(2 + strangers.length + 2);
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
  });

  test("R36: a descriptor goes to a QEMU that we start; one that is not sent is refused, and the session goes on", async () => {
    await using folder = await privateFolder();
    const path = join(folder.path, "disk");
    await writeFile(path, "");
    await truncate(path, 3 * 2 ** 20);
    await using file = await openFile(path, "r+");
    await using emulator = await spawnQemu(binary, [...BARE, "-add-fd", "fd=4,set=7"], { descriptors: [file.fd] });
    const { session } = emulator;
    expect(await session.execute("query-fdsets")).toMatchObject([{ "fdset-id": 7 }]);
    await session.execute("blockdev-add", { driver: "file", filename: "/dev/fdset/7", "node-name": "passed" });
    expect(await session.execute("query-named-block-nodes")).toMatchObject([
      { "node-name": "passed", image: { "virtual-size": 3 * 2 ** 20 } },
    ]);
    for (const refused of [session.execute("getfd", { fdname: "mine" }), session.execute("add-fd", { "fdset-id": 8 })]) {
      const error = await rejection(refused);
      expect(error).toBeInstanceOf(CommandError);
      expect(error).toMatchObject({ class: "GenericError", desc: "No file descriptor supplied via SCM_RIGHTS" });
    }
    expect(await session.execute("query-name")).toEqual({});
  });

  test.each([false, true])(
    "R37: when our half of the connection ends first, every call has its outcome and the session ends (out of band: %s)",
    async (oob) => {
      await using machine = await launch(binary, NO_GUEST);
      const socket = netConnect({ path: machine.monitors[0] as string, allowHalfOpen: true });
      await once(socket, "connect");
      const wire = standing(socketTransport(socket, "half"), oob ? {} : { hear: offering() });
      await using session = await open(wire.transport);
      const stuck = await block(machine.folder);
      const calls = [session.execute(stuck.command, stuck.parameters), ...Array.from({ length: 5 }, () => session.execute("query-name"))];
      const outcomes = Promise.all(
        calls.map((call) =>
          call.then(
            () => "answered",
            (error: { readonly code: string; readonly sent: boolean }) => `${error.code} ${error.sent}`,
          ),
        ),
      );
      await stuck.begun(machine.pid);
      await new Promise<void>((resolve) => socket.end(resolve));
      await stuck.release();
      // With out-of-band QEMU reads on while it works, meets the end, and drops what it has queued. Without, it reads the end last.
      const expected = oob ? /^(answered|closed true)$/ : /^answered$/;
      for (const outcome of await outcomes) expect(outcome).toMatch(expected);
      expect(await session.closed).toMatchObject({ by: "peer", error: { code: "closed" } });
    },
  );

  test("R41: of events that come too often the first comes at once and the last one later, for each node on its own; state is to be read, not counted", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const failing = ["e0", "e1"];
    for (const name of failing)
      await session.execute("blockdev-add", {
        driver: "blkdebug",
        "node-name": name,
        image: { driver: "null-co", size: 2 ** 20 },
        "inject-error": [{ event: "none", errno: 5 }],
      });
    await session.execute("blockdev-add", { driver: "quorum", "node-name": "q", "vote-threshold": 2, children: failing });
    using bad = session.events("QUORUM_REPORT_BAD");
    const last = 99;
    const sector = (event: QmpEvent<"QUORUM_REPORT_BAD"> | undefined): unknown => event?.data["sector-num"];
    for (let at = 0; at <= last; at++)
      await session.execute("human-monitor-command", { "command-line": `qemu-io q "read ${at * 512} 512"` });
    const seen = new Map<string, unknown[]>(failing.map((name) => [name, []]));
    while ([...seen.values()].some((sectors) => sectors.at(-1) !== last)) {
      const event = (await bad.next()).value;
      seen.get(event?.data["node-name"] ?? "")?.push(sector(event));
    }
    for (const sectors of seen.values()) {
      expect(sectors[0]).toBe(0);
      expect(sectors.length).toBeLessThan(last);
    }
  });
});
