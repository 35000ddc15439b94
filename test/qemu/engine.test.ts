import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { quit } from "../../src/qmp/endings.ts";
import { CommandError, GreetingError, OverflowError, TimeoutError } from "../../src/qmp/errors.ts";
import { oobCommands, probe } from "../../src/qmp/oob.ts";
import { connect, open, type LateReply } from "../../src/qmp/session.ts";
import { parseAddress } from "../../src/wire/address.ts";
import { dial } from "../../src/wire/socket.ts";
import { FAULT, type Message, type Transport } from "../../src/wire/transport.ts";
import { rejection } from "../qmp/peer.ts";
import { block } from "./fifo.ts";
import { launch, NO_GUEST, privateFolder, qemus } from "./machine.ts";

/** Stops a process; its threads stop one by one. */
async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  const states = async (): Promise<string[]> =>
    Promise.all((await readdir(`/proc/${pid}/task`)).map(async (tid) => /\) (\w)/.exec(await readFile(`/proc/${pid}/task/${tid}/stat`, "utf8"))?.[1] ?? ""));
  while ((await states()).some((state) => state !== "T"));
}

/** A chain of `levels` lists. */
function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

describe.each(await qemus())("QEMU $version", ({ binary, version, major }) => {
  test("R1: a second client of a monitor gets no greeting, is told who may hold it, and is served when the first leaves", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const first = await connect(machine.address);
    const error = await rejection(connect(machine.address, { timeout: 100 }));
    expect(error).toBeInstanceOf(GreetingError);
    expect(error.message).toContain("most likely another client holds this monitor");
    const second = connect(machine.address);
    await first.close();
    await using session = await second;
    expect(await session.execute("query-name")).toEqual({});
  });

  test("R1: more clients than the queue holds are all served, one after the other", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const holder = await connect(machine.address);
    const late = await Promise.all(Array.from({ length: 6 }, () => rejection(connect(machine.address, { timeout: 100 }))));
    for (const error of late) expect(error).toMatchObject({ message: expect.stringMatching(/other clients? holds? this monitor/) });
    const visits = Array.from({ length: 6 }, async () => {
      await using session = await connect(machine.address, { timeout: 20_000 });
      return await session.execute("query-name");
    });
    await holder.close();
    expect(await Promise.all(visits)).toEqual(Array.from({ length: 6 }, () => ({})));
  });

  test("R2, R3: the greeting is as query-version has it, and offers oob on a socket", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    expect(session.greeting.version).toEqual(await session.execute("query-version"));
    const { qemu } = session.greeting.version;
    expect(`${qemu.major}.${qemu.minor}.${qemu.micro}`).toBe(version);
    expect(session.oob).toBe(true);
  });

  test("R4, R11: connecting in a storm of events, again and again, never fails", async () => {
    await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
    await using noisy = await connect(`unix:${machine.monitors[1]}`);
    let storm = true;
    const events = (async () => {
      while (storm) await Promise.all(Array.from({ length: 4 }, (_, turn) => noisy.execute(turn % 2 === 0 ? "cont" : "stop")));
    })();
    for (let visit = 0; visit < 300; visit++) {
      await using session = await connect(machine.address);
      using stopped = session.events("STOP");
      expect((await stopped.next()).value?.event).toBe("STOP");
    }
    storm = false;
    await events;
  });

  test("R5: a QEMU that is stopped greets nobody: the deadline says so, and nothing hangs", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await freeze(machine.pid);
    expect(await rejection(connect(machine.address, { timeout: 100 }))).toMatchObject({ code: "greeting" });
    process.kill(machine.pid, "SIGCONT");
    await using session = await connect(machine.address);
    expect(await probe(session)).toBe("ready");
    await freeze(machine.pid);
    expect(await probe(session, { timeout: 100 })).toBe("dead");
    expect(await rejection(session.execute("query-name", {}, { timeout: 100 }))).toMatchObject({ where: "wedged" });
    process.kill(machine.pid, "SIGCONT");
  });

  test("R10, R13, R26, R33, R43, R44: QEMU's refusals come as they are, and the session goes on", async () => {
    await using machine = await launch(binary, [...NO_GUEST, "--preconfig"]);
    await using session = await connect(machine.address);
    const refusals: [() => Promise<unknown>, string, RegExp][] = [
      [() => session.execute("qmp_capabilities"), "CommandNotFound", /Capabilities negotiation is already complete, command ignored/],
      [() => session.execute("query-version", { nosuch: 1 } as never), "GenericError", /Parameter 'nosuch' is unexpected/],
      [() => session.execute("x-nosuch"), "CommandNotFound", /The command x-nosuch has not been found/],
      [() => session.execute("query-balloon"), "GenericError", /preconfig|only after machine initialization/],
      [() => session.executeOob("query-version"), "GenericError", /The command query-version does not support OOB/],
    ];
    for (const [call, kind, desc] of refusals) {
      const error = await rejection(call());
      expect(error).toBeInstanceOf(CommandError);
      expect(error.class).toBe(kind);
      expect(error.desc).toMatch(desc);
    }
    expect((await session.execute("query-status")).status).toMatch(/preconfig|prelaunch/);
    await session.execute("x-exit-preconfig");
    expect(await rejection(session.execute("query-balloon"))).toMatchObject({ class: "DeviceNotActive" });
  });

  test("R12: what a request may have in it, and ids of any kind, are QEMU's to say", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const desc = async (request: Message): Promise<unknown> => ((await session.exchange(request))["error"] as { desc?: string } | undefined)?.desc;
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

  test("R6, R21, R32: a request that is garbled on the way fails the call it belongs to, in order, and no other", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const plain = await dial(parseAddress(machine.address));
    const garbling: Transport = { ...plain, send: (text) => plain.send(String(text).replace(/\{"execute":"x-garbled"/, '{"execute":"query-name","execute":1')) };
    garbling[Symbol.asyncIterator] = plain[Symbol.asyncIterator];
    await using session = await open(garbling);
    const calls = [session.execute("query-version"), session.execute("x-garbled"), session.execute("query-name")];
    expect(await calls[0]).toEqual(session.greeting.version);
    expect(await rejection(calls[1] as Promise<unknown>)).toMatchObject({ command: "x-garbled", class: "GenericError", desc: expect.stringContaining("JSON parse error") });
    expect(await calls[2]).toEqual({});
  });

  test("R28: the reply to a dead client's command does not pass for one of ours", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const first = await connect(machine.address);
    const stuck = await block(machine.folder);
    const abandoned = rejection(first.execute(stuck.command, stuck.parameters));
    await stuck.begun(machine.pid);
    await first.close();
    expect(await abandoned).toMatchObject({ code: "closed", sent: true });
    const late = await rejection(connect(machine.address, { timeout: 150 }));
    expect(late.code).toMatch(/negotiation|greeting/);
    const second = connect(machine.address, { timeout: 10_000 });
    await stuck.release();
    await using session = await second;
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
  });

  test("R28: whatever a dead client is still answered comes before the next one's qmp_capabilities", async () => {
    await using machine = await launch(binary, NO_GUEST);
    const first = await connect(machine.address);
    const stuck = await block(machine.folder);
    const left = [rejection(first.execute(stuck.command, stuck.parameters))];
    for (let behind = 0; behind < 6; behind++) left.push(rejection(first.execute("query-version")));
    await stuck.begun(machine.pid);
    if (first.oob) await rejection(first.executeOob("migrate-pause"));
    await first.close();
    await Promise.all(left);
    const second = await dial(parseAddress(machine.address));
    second.send('{"execute":"qmp_capabilities","id":"mine"}{"execute":"query-name","id":"last"}\n');
    const ids: unknown[] = [];
    const released = stuck.release();
    for await (const batch of second) {
      ids.push(...batch.filter((message) => !("QMP" in message)).map((message) => message["id"]));
      if (ids.includes("last")) break;
    }
    await released;
    expect(ids.slice(ids.indexOf("mine"))).toEqual(["mine", "last"]);
    await second.close();
  });

  test("R25, R29: a pretty monitor is read as any other", async () => {
    await using folder = await privateFolder();
    const socket = `${folder.path}/pretty.sock`;
    const pretty = ["-chardev", `socket,id=pretty,path=${socket},server=on,wait=off`, "-mon", "chardev=pretty,mode=control,pretty=on"];
    await using machine = await launch(binary, [...NO_GUEST, ...pretty]);
    await using plain = await connect(machine.address);
    await using session = await connect(`unix:${socket}`);
    expect(session.greeting).toEqual(plain.greeting);
    expect(await session.execute("query-qmp-schema")).toEqual(await plain.execute("query-qmp-schema"));
  });

  test("R30: the human monitor's errors are replies", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    expect(await session.execute("human-monitor-command", { "command-line": "nosuch" })).toBe("unknown command: 'nosuch'\r\n");
  });

  test("R31, R33: one command blocks, seven stand behind it, more wait here: out of band is answered at once", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const allowed = await oobCommands(session);
    expect(allowed).toContain("migrate-pause");
    const stuck = await block(machine.folder);
    let released = false;
    const calls: Promise<unknown>[] = [session.execute(stuck.command, stuck.parameters)];
    for (let behind = 0; behind < 30; behind++) calls.push(session.execute("query-version"));
    const early = calls.map((call) => call.then(() => released));
    for (let round = 0; round < 20; round++) {
      expect(await rejection(session.executeOob("migrate-pause", {}, { timeout: 5000 }))).toBeInstanceOf(CommandError);
    }
    expect(await probe(session, { timeout: 500 })).toBe("busy");
    expect(await rejection(session.execute("query-name", {}, { timeout: 50 }))).toMatchObject({ where: "queued" });
    released = true;
    await stuck.release();
    expect(new Set(await Promise.all(early))).toEqual(new Set([true]));
  });

  test("R34, R35: a blocked command holds up the other monitor too; a deadline names it; its late reply is observed", async () => {
    await using machine = await launch(binary, NO_GUEST, { monitors: 2 });
    const late: LateReply[] = [];
    await using one = await connect(machine.address, { onLate: (reply) => late.push(reply) });
    await using other = await connect(`unix:${machine.monitors[1]}`);
    const stuck = await block(machine.folder);
    const error = await rejection(one.execute(stuck.command, stuck.parameters, { timeout: 1000 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ where: "busy" });
    expect(await probe(other, { timeout: 500 })).toBe("busy");
    await stuck.release();
    expect(await one.execute("query-name")).toEqual({});
    expect(late).toMatchObject([{ command: "blockdev-add", reply: { return: {} } }]);
  });

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
    const calls = [rejection(session.execute(stuck.command, stuck.parameters)), ...Array.from({ length: 9 }, () => rejection(session.execute("query-name")))];
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

  test("R43: every reply that is checked passes as this version gives it", async () => {
    await using machine = await launch(binary, ["-machine", major < 6 ? "pc" : "q35", "-m", "64", "-device", "virtio-balloon-pci,id=balloon0", "-smp", "1,maxcpus=2", "-S", "-accel", "tcg"]);
    await using session = await connect(machine.address);
    const [cpu] = await session.execute("query-cpus-fast");
    expect(cpu).toMatchObject({ "cpu-index": 0, target: "x86_64" });
    expect((await session.execute("query-hotpluggable-cpus")).map((slot) => slot["vcpus-count"])).toEqual([1, 1]);
    expect((await session.execute("query-balloon")).actual).toBe(64 * 1024 ** 2);
    expect(await session.execute("balloon", { value: 32 * 1024 ** 2 })).toEqual({});
    expect((await session.execute("query-memory-size-summary"))["base-memory"]).toBe(64 * 1024 ** 2);
    expect(await session.execute("query-memory-devices")).toEqual([]);
    expect(await session.execute("query-migrate")).toEqual({});
    await session.execute("query-acpi-ospm-status");
    expect((await session.execute("qom-list", { path: "/machine/peripheral" })).map((child) => child.name)).toContain("balloon0");
    expect(await session.execute("qom-get", { path: "/machine/peripheral/balloon0", property: "type" })).toBe("virtio-balloon-pci");
    const statistics = (await session.execute("qom-get", { path: "/machine/peripheral/balloon0", property: "guest-stats" })) as { stats: Record<string, unknown> };
    expect(statistics.stats["stat-free-memory"]).toBe(2n ** 64n - 1n);
    expect((await session.execute("query-commands")).length).toBeGreaterThan(100);
    expect((await session.execute("query-machines")).map((one) => one.name)).toContain("none");
    expect((await session.execute("query-chardev")).map((one) => one.label)).toContain("harness");
    expect(await session.execute("query-kvm")).toMatchObject({ enabled: false });
  });
});
