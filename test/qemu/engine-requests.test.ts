import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, qemus } from "../../scripts/lab/machine.ts";
import { connect, open } from "../../src/qmp/session.ts";
import { parseAddress } from "../../src/wire/address.ts";
import { dial } from "../../src/wire/dial.ts";
import { FAULT, type Message } from "../../src/wire/transport.ts";
import { rejection } from "../qmp/peer.ts";
import { between } from "./between.ts";

/** A chain of `levels` lists. */
function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

describe.each(await qemus())("QEMU $version", ({ binary }) => {
  test("R12: what a request may have in it, and ids of any kind, are QEMU's to say", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const desc = async (request: Message): Promise<unknown> =>
      ((await session.exchange(request))["error"] as { desc?: string } | undefined)?.desc;
    expect(await desc({ execute: "query-name", more: 1 })).toBe("QMP input member 'more' is unexpected");
    expect(await desc({ execute: "query-name", "exec-oob": "query-name" })).toBe("QMP input member 'execute' clashes with 'exec-oob'");
    expect(await desc({ arguments: {} })).toBe("QMP input lacks member 'execute'");
    expect(await desc({ execute: "query-name", arguments: null })).toBe("QMP input member 'arguments' must be an object");
    for (const id of [null, true, 7, 0.1, "é 🖥 \u0000 \u007f", [[]], { b: 1, a: [{ d: 1, c: 2 }] }, 2n ** 64n - 1n, -(2n ** 63n)]) {
      expect(await session.exchange({ execute: "query-name", id })).toEqual({ return: {}, id });
    }
  });

  test("R15, R18, R19: as deep, as wide and as exact as QEMU reads, and no more is sent", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const deepest = { execute: "query-name", id: nested(1023) };
    expect(await session.exchange(deepest)).toEqual({ return: {}, id: deepest.id });
    expect(await rejection(session.exchange({ execute: "query-name", id: nested(1024) }))).toMatchObject({ code: "usage" });
    expect(await rejection(session.execute("x-nosuch", { a: nested(1022) }))).toMatchObject({ class: "CommandNotFound" });
    expect(await rejection(session.execute("x-nosuch", { a: nested(1023) }))).toMatchObject({ code: "usage" });
    expect(await rejection(session.exchange({ execute: "query-name", id: "\udc00" }))).toMatchObject({ code: "usage" });
    const wide = "🖥é".repeat(20_000);
    expect(await session.exchange({ execute: "query-name", id: wide })).toEqual({ return: {}, id: wide });
  });

  test("R19: QEMU's own inf comes as a fault that shows the bytes", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const transport = await dial(parseAddress(machine.address));
    transport.send('{"execute":"qmp_capabilities","id":1e400}\n');
    const replies: Message[] = [];
    for await (const batch of transport) {
      replies.push(...batch);
      if (replies.length > 1) break;
    }
    expect(replies[1]?.[FAULT]?.excerpt).toMatch(/inf/);
    await transport.close();
  });

  test("R6, R17, R21, R32: a request that is garbled on the way fails the call it belongs to, in order, and no other", async () => {
    await using machine = await launch(binary, NO_GUEST);
    // A member that comes twice.
    const wire = await between(machine.address, {
      send: (text) => text.replace('{"execute":"x-garbled"', '{"execute":"query-name","execute":1'),
    });
    await using session = await open(wire.transport);
    const calls = [session.execute("query-version"), session.execute("x-garbled"), session.execute("query-name")];
    expect(await calls[0]).toEqual(session.greeting.version);
    expect(await rejection(calls[1] as Promise<unknown>)).toMatchObject({
      command: "x-garbled",
      class: "GenericError",
      desc: expect.stringContaining("JSON parse error, duplicate key"),
    });
    expect(await calls[2]).toEqual({});
  });
});
