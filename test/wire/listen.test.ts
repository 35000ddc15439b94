import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as netConnect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { open } from "../../src/qmp/session.ts";
import { parseAddress } from "../../src/wire/address.ts";
import { listen } from "../../src/wire/listen.ts";
import { GREETING, rejection } from "../qmp/peer.ts";

/** A machine that dials in, greets and answers everything. */
function dialIn(address: string): Socket {
  const at = parseAddress(address);
  const socket = at.kind === "unix" ? netConnect(at.path) : netConnect(at.port, at.host);
  socket.write(`${JSON.stringify(GREETING)}\r\n`);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    for (const line of String(chunk).split("\n").filter(Boolean))
      socket.write(`${JSON.stringify({ return: "here", id: JSON.parse(line).id })}\r\n`);
  });
  return socket;
}

test("machines dial in, before and after they are waited for, and again", async () => {
  await using listener = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
  expect(listener.address).toMatch(/^tcp:127\.0\.0\.1:\d+$/);
  const waiting = listener.accept();
  for (const _ of [1, 2]) {
    const machine = dialIn(listener.address);
    const transport = _ === 1 ? await waiting : await listener.accept();
    await using session = await open(transport as NonNullable<typeof transport>);
    expect(session.address).toBe(`${listener.address}#${_}`);
    expect(await session.execute("x")).toBe("here");
    await session.close();
    await once(machine, "close");
  }
});

test("waiting ends with the signal's reason, and with the listener", async () => {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const address = { kind: "unix", path: join(folder, "s") } as const;
  const listener = await listen(address);
  expect(await rejection(listen(address))).toMatchObject({ code: "connect", errno: "EADDRINUSE" });
  const controller = new AbortController();
  const aborted = listener.accept(controller.signal);
  const waiting = listener.accept();
  controller.abort("why");
  expect(await rejection(aborted)).toBe("why");
  expect(await rejection(listener.accept(AbortSignal.abort("before")))).toBe("before");
  await listener.close();
  expect(await waiting).toBeUndefined();
  for await (const _ of listener) throw new Error("nobody can have come");
  await rm(folder, { recursive: true });
});
