import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, qemus } from "../../scripts/lab/machine.ts";
import { normalise } from "../../scripts/schema/normalise.ts";
import { releaseOf } from "../../scripts/schema/recording.ts";
import { windowOf } from "../../src/qmp/command-window.ts";
import { ClosedError, CommandError, GreetingError } from "../../src/qmp/errors.ts";
import { connect, type LateReply, open } from "../../src/qmp/session.ts";
import { parseAddress } from "../../src/wire/address.ts";
import { dial } from "../../src/wire/dial.ts";
import { ProtocolError } from "../../src/wire/errors.ts";
import { rejection } from "../qmp/peer.ts";
import { recorded } from "../schema/recorded.ts";
import { between } from "./between.ts";
import { block } from "./fifo.ts";

const PRESENCE = new URL("../../src/schema/generated/presence.ts", import.meta.url);

/** How many connections are tried until an event comes before the greeting: one in some hundred to some thousand has it. */
const MOST_VISITS = 3000;

// Each is a row of the comparison with other clients; rows that other files show are listed in README.md.
describe.each(await qemus())("QEMU $version", ({ binary, version, major }) => {
  describe("event before the greeting / in the handshake", () => {
    test("a session opens wherever in the handshake an event stands, and keeps it", async () => {
      await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
      await using other = await connect(`unix:${machine.monitors[1]}`);
      const resumed = other.waitFor("RESUME");
      await other.execute("cont");
      const event = await resumed;
      const wire = await between(machine.address, { hear: (batch) => batch.flatMap((message) => [{ ...event }, message]) });
      await using session = await open(wire.transport);
      expect(session.early).toEqual([event, event]);
      expect(await session.execute("query-name")).toEqual({});
    });

    test("a session opens in a storm of events as real QEMU sends them, until one comes before the greeting", async () => {
      await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
      await using noisy = await connect(`unix:${machine.monitors[1]}`);
      const stop = new AbortController();
      const storm = (async () => {
        while (!stop.signal.aborted)
          await Promise.all(Array.from({ length: 6 }, (_, turn) => noisy.execute(turn % 2 === 0 ? "cont" : "stop")));
      })();
      let visits = 0;
      const visit = async (): Promise<void> => {
        while (visits++ < MOST_VISITS && !stop.signal.aborted) {
          const wire = await between(machine.address);
          await using session = await open(wire.transport, { timeout: 60_000 });
          expect(session.greeting.version.qemu.major).toBe(major);
          if ("QMP" in (wire.heard[0] ?? {})) continue;
          expect(session.early.length).toBeGreaterThan(0);
          stop.abort();
        }
      };
      // A client that waits comes in the very moment in which another leaves: then it happens most.
      await Promise.all([visit(), visit()]);
      stop.abort();
      await storm;
    });
  });

  test("H1: deadline for the greeting: a client that stands in line is told at once when QEMU ends before it greets", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using holder = await connect(machine.address);
    // The system connects it without QEMU. Awaited: one that hears of the connection and of the death in one breath was never connected.
    const second = await dial(parseAddress(machine.address));
    const opening = rejection(open(second, { timeout: 60_000 }));
    await holder.execute("query-name");
    await machine.kill();
    const error = await opening;
    expect(error).toBeInstanceOf(GreetingError);
    expect(error.message).toMatch(/closed the connection|ECONNRESET/);
  });

  test("ids matched, calls in parallel: each of a thousand gets its own answer, out of band in between, and QEMU never has more than its window", async () => {
    await using machine = await launch(binary, NO_GUEST);
    let before = 0;
    let most = 0;
    const inBand = (text: string): number => text.match(/^\{"execute":"(?!qmp_capabilities)/gm)?.length ?? 0;
    const wire = await between(machine.address, {
      send: (text) => ((most = Math.max(most, (before += inBand(text)))), text),
      hear: (batch) => ((before -= batch.filter((message) => typeof message["return"] === "string").length), batch),
    });
    await using session = await open(wire.transport);
    const oob: Promise<unknown>[] = [];
    const calls = Array.from({ length: 1000 }, (_, index) => {
      if (index % 10 === 0) oob.push(rejection(session.executeOob("query-version")));
      return session.execute("human-monitor-command", { "command-line": `print /d ${index}` });
    });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1000 }, (_, index) => `${index}\r\n`));
    for (const refused of await Promise.all(oob)) expect(refused).toBeInstanceOf(CommandError);
    expect(most).toBe(windowOf(major));
  });

  test("events: filter, iterate, wait; end with the connection", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const seen: string[] = [];
    const watching = rejection(
      (async () => {
        for await (const { event } of session.events(["STOP", "RESUME"])) seen.push(event);
      })(),
    );
    using concluded = session.events("JOB_STATUS_CHANGE", { where: ({ data }) => data.status === "concluded" && data.id === "two" });
    const never = session.waitFor((event) => event.event === "RESET");
    expect(await rejection(session.waitFor("RESET", { timeout: 30 }))).toMatchObject({ code: "timeout", where: "awaited" });
    for (const command of ["cont", "stop", "cont"]) await session.execute(command);
    for (const [node, job] of [
      ["a", "one"],
      ["b", "two"],
    ] as const) {
      await session.execute("blockdev-add", { driver: "null-co", "node-name": node, size: 2 ** 20 });
      await session.execute("blockdev-create", { "job-id": job, options: { driver: "qcow2", file: node, size: 2 ** 20 } });
    }
    expect((await concluded.next()).value?.data).toMatchObject({ id: "two", status: "concluded" });
    await machine.kill();
    const ended = await watching;
    expect(ended).toBeInstanceOf(ClosedError);
    expect(seen).toEqual(["RESUME", "STOP", "RESUME"]);
    expect(await rejection(never)).toMatchObject({ code: "closed" });
    expect(await rejection(concluded.next())).toBe(ended);
  });

  test("deadline / cancel per call: a call that is given up rejects at once with our own reason, and the connection lives on", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const late: LateReply[] = [];
    await using session = await connect(machine.address, { onLate: (reply) => late.push(reply) });
    const stuck = await block(machine.folder);
    const cancel = new AbortController();
    const reason = { what: "changed my mind" };
    const calls = [
      rejection(session.execute(stuck.command, stuck.parameters, { signal: cancel.signal })),
      ...Array.from({ length: 20 }, () => rejection(session.execute("query-name", {}, { signal: cancel.signal }))),
    ];
    const patient = session.execute("query-version", {}, { timeout: 60_000 });
    await stuck.begun(machine.pid);
    expect(await rejection(session.execute("query-kvm", {}, { timeout: 30 }))).toMatchObject({
      code: "timeout",
      timeout: 30,
      where: "queued",
    });
    cancel.abort(reason);
    for (const outcome of await Promise.all(calls)) expect(outcome).toBe(reason);
    await stuck.release();
    expect(await patient).toEqual(session.greeting.version);
    expect(late[0]).toMatchObject({ command: stuck.command, reply: { return: {} } });
    // What had not been sent was not sent after all.
    expect(late).toHaveLength(windowOf(major));
  });

  test("exact 64-bit integers, both ways", async () => {
    await using machine = await launch(binary, [...NO_GUEST, "-object", "iothread,id=io"]);
    await using session = await connect(machine.address);
    for (const value of [2n ** 53n + 1n, 2n ** 63n - 1n, 2 ** 53 - 1, 0]) {
      await session.execute("qom-set", { path: "/objects/io", property: "poll-max-ns", value });
      expect(await session.execute("qom-get", { path: "/objects/io", property: "poll-max-ns" })).toBe(value);
    }
    const wide = { "max-bandwidth": 2n ** 63n + 1n };
    const id = { whole: [-(2n ** 63n), 2n ** 64n - 1n] };
    expect(await session.exchange({ execute: "query-name", id })).toEqual({ return: {}, id });
    // Before 6.0 this was an int for QEMU too, and no size.
    if (major < 6) expect((await rejection(session.execute("migrate-set-parameters", wide))).desc).toContain("max-bandwidth");
    else {
      await session.execute("migrate-set-parameters", wide);
      expect(await session.execute("query-migrate-parameters")).toMatchObject(wide);
    }
  });

  test("largest reply: over 10 MiB comes whole, and a messageLimit of one's own is held to", async () => {
    await using machine = await launch(binary, [...NO_GUEST, "-m", "16"], { monitors: 2 });
    await using session = await connect(machine.address);
    // A dump of empty memory: some 7 characters a byte.
    const bytes = 2_000_000;
    const dump = await session.execute("human-monitor-command", { "command-line": `xp /${bytes}xb 0` });
    expect(dump.length).toBeGreaterThan(11 * 2 ** 20);
    expect(dump.match(/ 0x00/g)).toHaveLength(bytes);
    await using narrow = await connect(`unix:${machine.monitors[1]}`, { messageLimit: 100_000 });
    const [small, large] = [narrow.execute("query-version"), rejection(narrow.execute("query-qmp-schema"))];
    expect(await small).toEqual(narrow.greeting.version);
    expect(await large).toBeInstanceOf(ClosedError);
    expect((await large).cause).toBeInstanceOf(ProtocolError);
    expect((await large).message).toContain("a message longer than 100000 bytes, its messageLimit");
  });

  test("typed from QAPI: the commands and events that the types give this release are those that it has, as it has them", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const release = `${releaseOf(version)}_x86_64`;
    const recording = recorded.get(release);
    if (recording === undefined) throw new Error(`${release}: not recorded, and so without types: npm run record:schema`);
    const real = normalise(await session.execute("query-qmp-schema"));
    const [commands = "", events = ""] = (await readFile(PRESENCE, "utf8")).split("export interface ").slice(1);
    const typed = (table: string): string[] =>
      [...table.matchAll(/^ {2}"?([\w-]+)"?: (.*);$/gm)].flatMap(([, name = "", where = ""]) =>
        where === "Everywhere" || where.includes(`"${release}"`) ? [name] : [],
      );
    for (const [kind, table] of [
      ["command", commands],
      ["event", events],
    ] as const) {
      expect(typed(table).toSorted()).toEqual(
        real
          .filter((entry) => entry["meta-type"] === kind)
          .map(({ name }) => name)
          .toSorted(),
      );
    }
    expect(typed(commands)).toEqual(expect.arrayContaining((await session.execute("query-commands")).map(({ name }) => name)));
    // What they take and give was generated from this, to the letter.
    expect(real).toEqual(recording.schema);
  });
});
