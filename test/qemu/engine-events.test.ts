import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, qemus } from "../../scripts/lab/machine.ts";
import { quit } from "../../src/qmp/endings.ts";
import { OverflowError } from "../../src/qmp/errors.ts";
import { probe } from "../../src/qmp/oob.ts";
import { connect } from "../../src/qmp/session.ts";
import { rejection } from "../qmp/peer.ts";
import { block } from "./fifo.ts";

describe.each(await qemus())("QEMU $version", ({ binary }) => {
  test("R38: quit is done when the connection has ended, and SHUTDOWN tells why", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const shutdown = session.waitFor("SHUTDOWN");
    await quit(session);
    expect((await shutdown).data).toMatchObject({ guest: false, reason: "host-qmp-quit" });
    expect(await session.closed).toMatchObject({ by: "peer" });
    expect((await machine.exited).code).toBe(0);
  });

  test("a QEMU that is killed gives every call its own error, and ends the streams with the reason", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const stuck = await block(machine.folder);
    using events = session.events();
    const calls = [
      rejection(session.execute(stuck.command, stuck.parameters)),
      ...Array.from({ length: 9 }, () => rejection(session.execute("query-name"))),
    ];
    await probe(session, { timeout: 50 });
    await machine.kill();
    const errors = await Promise.all(calls);
    expect(new Set(errors).size).toBe(10);
    for (const error of errors) expect(error).toMatchObject({ code: "closed" });
    expect(await rejection(events.next())).toMatchObject({ code: "closed" });
  });

  test("R39, R40: events come before the reply of their cause, to each client, with the time", async () => {
    await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
    await using one = await connect(machine.address);
    await using other = await connect(`unix:${machine.monitors[1]}`);
    const resumed = [one.waitFor("RESUME"), other.waitFor("RESUME")];
    using everything = one.events();
    await one.execute("cont");
    expect((await everything.next()).value?.event).toBe("RESUME");
    for (const event of await Promise.all(resumed)) expect(Math.abs(event.timestamp.seconds - Date.now() / 1000)).toBeLessThan(60);
  });

  test("R42: a flood of events with a subscriber that sleeps: it ends at its bound, the others lose nothing", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    using asleep = session.events(undefined, { bound: 100 });
    using awake = session.events(["STOP", "RESUME"], { bound: 4000 });
    const rounds = 1000;
    for (let round = 0; round < rounds; round++) await Promise.all([session.execute("cont"), session.execute("stop")]);
    for (let seen = 0; seen < 2 * rounds; seen++) expect((await awake.next()).value?.event).toBe(seen % 2 === 0 ? "RESUME" : "STOP");
    for (let seen = 0; seen < 100; seen++) await asleep.next();
    expect(await rejection(asleep.next())).toBeInstanceOf(OverflowError);
  });
});
