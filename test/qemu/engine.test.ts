import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { CommandError, GreetingError, TimeoutError } from "../../src/qmp/errors.ts";
import { oobCommands, probe } from "../../src/qmp/oob.ts";
import { connect, type LateReply } from "../../src/qmp/session.ts";
import { parseAddress } from "../../src/wire/address.ts";
import { dial } from "../../src/wire/dial.ts";
import { rejection } from "../qmp/peer.ts";
import { block } from "./fifo.ts";
import { freeze } from "./freeze.ts";

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
    for (const error of late) expect(error).toMatchObject({ message: expect.stringMatching(/another (client|one) holds this monitor/) });
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

  test("R43: every reply that is checked passes as this version gives it", async () => {
    await using machine = await launch(binary, [
      "-machine",
      major < 6 ? "pc" : "q35",
      "-m",
      "64",
      "-device",
      "virtio-balloon-pci,id=balloon0",
      "-smp",
      "1,maxcpus=2",
      "-S",
      "-accel",
      "tcg",
    ]);
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
    const statistics = (await session.execute("qom-get", { path: "/machine/peripheral/balloon0", property: "guest-stats" })) as {
      stats: Record<string, unknown>;
    };
    expect(statistics.stats["stat-free-memory"]).toBe(2n ** 64n - 1n);
    expect((await session.execute("query-commands")).length).toBeGreaterThan(100);
    expect((await session.execute("query-machines")).map((one) => one.name)).toContain("none");
    expect((await session.execute("query-chardev")).map((one) => one.label)).toContain("harness");
    expect(await session.execute("query-kvm")).toMatchObject({ enabled: false });
  });
});
