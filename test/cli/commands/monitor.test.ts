import { describe, expect, test } from "vitest";
import type { Monitor, MonitorEvent } from "../../../src/domain/facade.ts";
import { QmpctlError } from "../../../src/errors.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import { EventStream } from "../../../src/qmp/event-stream.ts";
import { monitorOf, play, SlowPaper } from "../scene.ts";

describe("qmp", () => {
  function quoting(returned: unknown): { readonly domain: { connect: (options: unknown) => Promise<Monitor> }; readonly sent: unknown[] } {
    const sent: unknown[] = [];
    const execute = async (...call: unknown[]) => (sent.push(...call), returned);
    return { sent, domain: { connect: async (options) => (sent.push(options), { ...monitorOf([]), execute }) } };
  }

  test("sends the command to whichever monitor is free and prints what it returns", async () => {
    const { domain, sent } = quoting({ status: "running" });
    const { code, stdout } = await play(["qmp", "web1", "query-status", "--timeout", "2"], { domain });
    expect([code, stdout]).toEqual([0, '{"status":"running"}\n']);
    const signal = expect.any(AbortSignal) as AbortSignal;
    expect(sent).toEqual([{ monitor: "any", timeout: 2000, signal }, "query-status", undefined, { timeout: 2000, signal }]);
  });

  test("with arguments", async () => {
    const { domain, sent } = quoting({});
    await play(["qmp", "web1", "device_del", "id=vcpu1"], { domain });
    expect(JSON.stringify(sent[2])).toBe('{"id":"vcpu1"}');
  });

  test("indented on a terminal, unless --json", async () => {
    const { domain } = quoting({ a: 1 });
    expect((await play(["qmp", "web1", "x"], { domain, columns: 80 })).stdout).toBe('{\n  "a": 1\n}\n');
    expect((await play(["qmp", "web1", "x", "--json"], { domain, columns: 80 })).stdout).toBe('{"a":1}\n');
  });

  test("an error of QEMU is its message, and 1", async () => {
    const execute = async () => Promise.reject(new CommandError("device_del", { class: "DeviceNotFound", desc: "Device 'x' not found" }));
    const domain = { connect: async () => ({ ...monitorOf([]), execute }) };
    expect(await play(["qmp", "web1", "device_del", "id=x"], { domain })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "qmpctl: device_del: Device 'x' not found (DeviceNotFound)\n",
      disposed: 1,
    });
    expect(JSON.parse((await play(["qmp", "web1", "device_del", "id=x", "--json"], { domain })).stdout)).toEqual({
      error: {
        code: "command",
        message: "device_del: Device 'x' not found",
        command: "device_del",
        class: "DeviceNotFound",
        desc: "Device 'x' not found",
      },
    });
  });

  test("a wrong argument is found before anything is opened", async () => {
    expect(await play(["qmp", "web1", "device_del", "vcpu1"])).toMatchObject({ code: 2, opened: [] });
  });
});

describe("events", () => {
  const event = (name: string, data?: unknown): MonitorEvent => ({
    event: name,
    ...(data === undefined ? {} : { data }),
    timestamp: { seconds: 1_700_000_000, microseconds: 250_000 },
  });
  const stream = [event("STOP"), event("BALLOON_CHANGE", { actual: 314572800 }), event("RESUME"), event("STOP")];
  const watching = (monitor: Monitor) => ({ domain: { connect: async () => monitor } });

  test("each as JSON on a line, until --count came", async () => {
    const { code, stdout } = await play(["events", "web1", "--count", "2"], watching(monitorOf(stream)));
    expect([code, stdout]).toEqual([0, `${JSON.stringify(stream[0])}\n${JSON.stringify(stream[1])}\n`]);
  });

  test("only those that are named, in any case", async () => {
    const { code, stdout } = await play(["events", "web1", "stop", "--count", "2"], watching(monitorOf(stream)));
    expect([code, stdout]).toEqual([0, `${JSON.stringify(stream[0])}\n${JSON.stringify(stream[3])}\n`]);
  });

  test("on a terminal: time, name, data", async () => {
    const { stdout } = await play(["events", "web1", "--count", "2"], {
      ...watching(monitorOf(stream)),
      columns: 80,
      env: { NO_COLOR: "1" },
    });
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.250 {2}STOP\n\d\d:\d\d:\d\d\.250 {2}BALLOON_CHANGE {2}\{"actual":314572800\}\n$/);
  });

  test("--timeout alone ends well", async () => {
    const { code, stdout } = await play(["events", "web1", "--timeout", "5ms"], watching(monitorOf([])));
    expect([code, stdout]).toEqual([0, ""]);
  });

  test("fewer than --count by --timeout is pending", async () => {
    expect(await play(["events", "web1", "--count", "5", "--timeout", "5ms"], watching(monitorOf(stream)))).toMatchObject({
      code: 5,
      disposed: 1,
    });
  });

  test("the end of the machine ends it, with the reason", async () => {
    const gone = new QmpctlError("closed", "unix:/run/web1.sock: QEMU closed the connection");
    const { code, stdout, stderr } = await play(["events", "web1"], watching(monitorOf(stream.slice(0, 1), gone)));
    expect([code, stdout, stderr]).toEqual([
      1,
      `${JSON.stringify(stream[0])}\n`,
      "qmpctl: unix:/run/web1.sock: QEMU closed the connection\n",
    ]);
  });

  test("a machine that goes after its SHUTDOWN has ended as it should: 0, or 5 where more were to come", async () => {
    const gone = new QmpctlError("closed", "unix:/run/web1.sock: QEMU closed the connection");
    const ending = [event("POWERDOWN"), event("SHUTDOWN", { guest: true, reason: "guest-shutdown" }), event("STOP")];
    const { code, stdout, stderr } = await play(["events", "web1", "STOP"], watching(monitorOf(ending, gone)));
    expect([code, stdout, stderr]).toEqual([0, `${JSON.stringify(ending[2])}\n`, ""]);
    expect((await play(["events", "web1", "--count", "9"], watching(monitorOf(ending, gone)))).code).toBe(5);
    // One that lives on after it, and one that ends for another reason.
    expect((await play(["events", "web1"], watching(monitorOf([...ending, event("RESET"), event("RESUME")], gone)))).code).toBe(1);
    expect((await play(["events", "web1"], watching(monitorOf(ending, new QmpctlError("overflow", "event stream: too many"))))).code).toBe(
      1,
    );
  });

  test("what is not read yet is waited for, and the events meanwhile are left in their stream", async () => {
    const paper = new SlowPaper();
    const interrupt = new AbortController();
    const played = play(["events", "web1"], { ...watching(monitorOf(stream)), stdout: paper, signal: interrupt.signal });
    for (let count = 1; count <= stream.length; count++) {
      await expect.poll(() => paper.text.split("\n").length - 1).toBe(count);
      await paper.take();
    }
    interrupt.abort(new Error("interrupted by SIGINT"));
    expect((await played).code).toBe(130);
    expect(paper.unasked).toBe(0);
  });

  test("more events than are kept end it when it is read too slowly: 1, and why", async () => {
    const paper = new SlowPaper();
    const source = new EventStream(undefined, { bound: 2 }, () => {});
    const monitor = { ...monitorOf([]), events: () => source as unknown as ReturnType<Monitor["events"]> };
    const played = play(["events", "web1"], { ...watching(monitor), stdout: paper });
    source.offer(event("FIRST") as never);
    await expect.poll(() => paper.text).toContain("FIRST");
    for (const name of ["SECOND", "THIRD", "FOURTH", "FIFTH"]) source.offer(event(name) as never);
    for (let count = 0; count < 3; count++) await paper.take();
    const { code, stdout, stderr } = await played;
    expect([code, stderr]).toEqual([1, "qmpctl: event stream: more than 2 events wait to be read\n"]);
    expect(stdout.match(/"event":"\w+"/g)).toEqual(['"event":"FIRST"', '"event":"SECOND"', '"event":"THIRD"']);
  });

  test("a reader that does not read holds up neither --timeout nor an interrupt", async () => {
    expect((await play(["events", "web1", "--timeout", "20ms"], { ...watching(monitorOf(stream)), stdout: new SlowPaper() })).code).toBe(0);
    const signal = AbortSignal.timeout(20);
    expect((await play(["events", "web1"], { ...watching(monitorOf(stream)), stdout: new SlowPaper(), signal })).code).toBe(130);
  });

  test("--timeout is for all of it, the greeting too; where there is more of it the greeting has what it has without", async () => {
    const asked: unknown[] = [];
    const slow = async (options: { readonly timeout?: number }): Promise<Monitor> => {
      asked.push(options.timeout);
      await new Promise((resolve) => setTimeout(resolve, 500));
      return monitorOf([]);
    };
    const start = performance.now();
    expect((await play(["events", "web1", "--timeout", "600ms"], { domain: { connect: slow } })).code).toBe(0);
    expect(performance.now() - start).toBeLessThan(1000);
    const interrupt = new AbortController();
    interrupt.abort(new Error("interrupted by SIGINT"));
    await play(["events", "web1", "--timeout", "1h"], { domain: { connect: slow }, signal: interrupt.signal });
    expect(asked).toEqual([600, undefined]);
  });

  test("an interrupt ends it with 130, and without a word", async () => {
    const interrupt = new AbortController();
    const monitor = monitorOf([]);
    const events = () => (queueMicrotask(() => interrupt.abort(new Error("interrupted by SIGINT"))), monitor.events());
    const { code, stderr } = await play(["events", "web1"], { ...watching({ ...monitor, events }), signal: interrupt.signal });
    expect([code, stderr]).toEqual([130, ""]);
  });

  test.each(["0", "many"])("--count %s is a usage error", async (count) =>
    expect((await play(["events", "web1", "--count", count])).code).toBe(2),
  );
});
