import { describe, expect, it } from "vitest";
import { wireClient } from "../../../scripts/lab/wire-client.ts";
import { connect } from "../../../src/qmp/session.ts";
import { parseTranscript, QmpFailure, type ReplayOptions, startReplay, type Weather } from "../../../src/testing/index.ts";

const ECHO: ReplayOptions = {
  answers: {
    "query-name": () => ({}),
    "query-yank": () => [],
    fail: () => {
      throw new QmpFailure("DeviceNotActive", "no balloon");
    },
  },
};

/** A monitor whose one command `slow` is answered when the test says so. */
function slowAnswer() {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { release: () => release(), answers: { ...ECHO.answers, slow: async () => void (await held) } };
}

describe("the protocol goes by rule", () => {
  it("R1: a second client gets no greeting until the first leaves, and then what it sent before is served", async () => {
    await using server = await startReplay(ECHO);
    const first = await wireClient(server.address);
    await first.negotiate();
    await using second = await wireClient(server.address);
    second.send('{"execute":"qmp_capabilities","id":"early"}');
    await first.ask("query-name");
    expect(second.received()).toBe("");
    await first[Symbol.asyncDispose]();
    expect(await second.message()).toHaveProperty("QMP");
    expect(await second.line()).toBe('{"return": {}, "id": "early"}');
  });

  it("R7, R8, R9, R10: negotiation", async () => {
    await using server = await startReplay({ ...ECHO, oob: false });
    await using client = await wireClient(server.address);
    expect(await client.message()).toMatchObject({ QMP: { capabilities: [] } });
    expect(await client.ask("query-name")).toEqual({
      error: { class: "CommandNotFound", desc: "Expecting capabilities negotiation with 'qmp_capabilities'" },
    });
    client.send('{"exec-oob":"qmp_capabilities"}');
    expect(await client.message()).toEqual({ error: { class: "GenericError", desc: "QMP input member 'exec-oob' is unexpected" } });
    expect(await client.ask("qmp_capabilities", { enable: ["oob"] })).toEqual({
      error: { class: "GenericError", desc: "Capability oob not available" },
    });
    expect(await client.ask("qmp_capabilities")).toEqual({ return: {} });
    expect(await client.ask("qmp_capabilities")).toEqual({
      error: { class: "CommandNotFound", desc: "Capabilities negotiation is already complete, command ignored" },
    });
  });

  it.each([
    ['{"execute":"query-name","id":18446744073709551615}', '{"return": {}, "id": 18446744073709551615}'],
    ['{"execute":"query-name","id":null}', '{"return": {}, "id": null}'],
    ['{"id":{"b":[1,0.1]},"execute":"query-name"}', '{"return": {}, "id": {"b": [1, 0.10000000000000001]}}'],
    ['{"execute":"query-name","id":1e400}', '{"return": {}, "id": inf}'],
    ["{'execute':'query-name','id':'it\\'s'}", '{"return": {}, "id": "it\'s"}'],
    ['{"execute":"fail","id":"\u00e9"}', '{"id": "\\u00E9", "error": {"class": "DeviceNotActive", "desc": "no balloon"}}'],
    [
      '{"execute":"query-name","foo":1,"id":7}',
      `{"id": 7, "error": {"class": "GenericError", "desc": "QMP input member 'foo' is unexpected"}}`,
    ],
    [
      '{"execute":"query-name","arguments":null}',
      `{"error": {"class": "GenericError", "desc": "QMP input member 'arguments' must be an object"}}`,
    ],
    ['{"arguments":{}}', `{"error": {"class": "GenericError", "desc": "QMP input lacks member 'execute'"}}`],
    ["[]", '{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}'],
    ['{"execute":"query-name","id":1,"id":2}', '{"error": {"class": "GenericError", "desc": "JSON parse error, duplicate key"}}'],
  ])("R12, R17, R19, R25: %s", async (request, reply) => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.address);
    await client.negotiate();
    client.send(request);
    expect(await client.line()).toBe(reply);
  });

  it("R31, R32: with out-of-band, an urgent command overtakes eight, and waits behind nine", async () => {
    const { answers, release } = slowAnswer();
    await using server = await startReplay({ answers });
    await using client = await wireClient(server.address);
    await client.negotiate(["oob"]);
    const queue = (count: number): string => Array.from({ length: count }, (_, n) => `{"execute":"query-name","id":${n}}`).join("");
    client.send(`{"execute":"slow","id":"slow"}${queue(7)}{"exec-oob":"query-yank","id":"urgent"}`);
    expect(await client.message()).toEqual({ return: [], id: "urgent" });
    client.send('{"execute":"query-name","id":8}{"exec-oob":"query-yank","id":"too late"}');
    release();
    const order: unknown[] = [];
    for (let n = 0; n < 10; n += 1) order.push((await client.message())["id"]);
    expect(order[0]).toBe("slow");
    expect(order.filter((it) => typeof it === "number")).toEqual([0, 1, 2, 3, 4, 5, 6, 8]);
    expect(order).toContain("too late");
  });

  it("R32: an out-of-band command is executed when it is read, before anything that was sent after it", async () => {
    await using server = await startReplay({
      answers: { "query-yank": () => new Promise((resolve) => setImmediate(() => resolve([]))), "query-name": () => ({}) },
    });
    await using client = await wireClient(server.address);
    await client.negotiate(["oob"]);
    client.send(
      '{"exec-oob":"query-yank","id":1}{"execute":"query-name","id":2}{"exec-oob":"query-yank","id":3}{"exec-oob":"nosuch","id":4}',
    );
    const order: unknown[] = [];
    for (let n = 0; n < 4; n += 1) order.push((await client.message())["id"]);
    expect(order.indexOf(1)).toBe(0);
    expect(order.filter((it) => it !== 2)).toEqual([1, 3, 4]);
  });

  it("R33: most commands can't be urgent", async () => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.address);
    await client.negotiate(["oob"]);
    client.send('{"exec-oob":"query-name","id":1}');
    expect(await client.message()).toEqual({
      id: 1,
      error: { class: "GenericError", desc: "The command query-name does not support OOB" },
    });
  });

  it("R34, R40: one dispatcher for all monitors, events to each of them", async () => {
    const { answers, release } = slowAnswer();
    await using server = await startReplay({ answers });
    await using one = await wireClient(server.addresses["control"] ?? "");
    await using two = await wireClient(server.addresses["watch"] ?? "");
    await one.negotiate();
    await two.negotiate();
    one.send('{"execute":"slow"}');
    two.send('{"execute":"query-name"}');
    server.emit("STOP");
    expect(await one.message()).toMatchObject({ event: "STOP" });
    expect(await two.message()).toMatchObject({ event: "STOP" });
    release();
    expect(await one.message()).toEqual({ return: {} });
    expect(await two.message()).toEqual({ return: {} });
  });

  it("R28: the reply to a client that has left goes to the next one", async () => {
    const { answers, release } = slowAnswer();
    await using server = await startReplay({ answers });
    const first = await wireClient(server.address);
    await first.negotiate();
    first.send('{"execute":"slow","id":"A-1"}{"execute":"query-name","id":"A-2"}');
    await using second = await wireClient(server.address);
    await first[Symbol.asyncDispose]();
    expect(await second.message()).toHaveProperty("QMP");
    release();
    expect(await second.line()).toBe('{"return": {}, "id": "A-1"}');
    expect(await second.ask("qmp_capabilities")).toEqual({ return: {} });
  });

  it("R37: a client that ends its half of the connection gets its replies, then the end", async () => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.address);
    await client.negotiate();
    client.socket.end('{"execute":"query-name","id":1}{"execute":"query-name","id":2}');
    expect(await client.message()).toEqual({ return: {}, id: 1 });
    expect(await client.message()).toEqual({ return: {}, id: 2 });
    await client.ended;
  });

  it("R41: some events come once a second, the first at once and the last one late, each kind by its own key", async () => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.address);
    await client.negotiate();
    for (const actual of [1, 2, 3]) server.emit("BALLOON_CHANGE", { actual });
    for (const id of ["a", "b", "a"]) server.emit("VSERPORT_CHANGE", { id, open: true });
    server.emit("STOP");
    server.advance(999);
    server.emit("RESUME");
    server.advance(1);
    server.advance(1000);
    server.emit("BALLOON_CHANGE", { actual: 4 });
    server.emit("RESET");
    const seen: unknown[] = [];
    for (let message = await client.message(); ; message = await client.message()) {
      seen.push(message["event"] === "BALLOON_CHANGE" || message["event"] === "VSERPORT_CHANGE" ? message["data"] : message["event"]);
      if (message["event"] === "RESET") break;
    }
    expect(seen).toEqual([
      { actual: 1 },
      { id: "a", open: true },
      { id: "b", open: true },
      "STOP",
      "RESUME",
      { actual: 3 },
      { id: "a", open: true },
      { actual: 4 },
      "RESET",
    ]);
  });

  it("R38: without a recording it ends when told to quit: the event, the reply, the end", async () => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.address);
    await client.negotiate();
    expect(await client.ask("quit")).toEqual({ return: {} });
    expect(client.events).toMatchObject([{ event: "SHUTDOWN", data: { guest: false, reason: "host-qmp-quit" } }]);
    await client.ended;
    expect(await server.exited).toBe("0");
  });

  it("R19: says numbers that are none in JSON, where a test has it do so", async () => {
    await using server = await startReplay({ answers: { "query-name": () => [Infinity, -Infinity, NaN, 2 ** 70, 0.1] } });
    await using client = await wireClient(server.address);
    await client.negotiate();
    client.send('{"execute":"query-name"}');
    expect(await client.line()).toBe('{"return": [inf, -inf, nan, 1.1805916207174113e+21, 0.10000000000000001]}');
  });

  it("gives replies of 12 MiB", async () => {
    await using server = await startReplay({ answers: { "query-name": () => ({ name: "\u00e9".repeat(2 << 20) }) } });
    await using session = await connect(server.address);
    expect((await session.execute("query-name")).name).toHaveLength(2 << 20);
  });

  it("listens on a free TCP port too", async () => {
    await using server = await startReplay({ ...ECHO, monitors: [{ name: "control", address: "tcp:127.0.0.1:0" }] });
    await using client = await wireClient(server.address);
    await client.negotiate();
    expect(await client.ask("query-name")).toEqual({ return: {} });
  });
});

describe("weather", () => {
  it.each<[string, Weather]>([
    ["bytewise", { chunk: 1 }],
    ["in threes", { chunk: 3 }],
    ["CR and LF apart", { splitLineEnd: true }],
    ["late", { delay: 1 }],
    ["read slowly", { readRate: 10 }],
    ["written slowly", { writeRate: 20 }],
    ["a byte at a time, slowly", { chunk: 1, writeRate: 100 }],
    ["greeted late", { greeting: 5 }],
  ])("%s, the same is said", async (_name, weather) => {
    await using server = await startReplay({ ...ECHO, weather });
    await using client = await wireClient(server.address);
    await client.negotiate();
    expect(await client.ask("query-name")).toEqual({ return: {} });
  });

  it("pretty: over many lines, as QEMU's pretty=on", async () => {
    await using server = await startReplay({ ...ECHO, weather: { pretty: true } });
    await using client = await wireClient(server.address);
    client.send('{"execute":"qmp_capabilities"}');
    while ((await client.line()) !== "}");
    expect([await client.line(), await client.line(), await client.line(), await client.line()]).toEqual([
      "{",
      '    "return": {',
      "    }",
      "}",
    ]);
  });

  it("never greeted, or told something else first", async () => {
    await using silent = await startReplay({ ...ECHO, weather: { greeting: "never", before: "SSH-2.0-x\r\n" } });
    await using client = await wireClient(silent.address);
    expect(await client.line()).toBe("SSH-2.0-x");
    expect(client.received()).toBe("");
  });

  const start = [
    "#! connect 1 control",
    '<- {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}',
    '-> {"execute":"qmp_capabilities","id":1}',
    '<- {"return": {}, "id": 1}',
  ];
  const during = (...lines: readonly string[]) => ({
    transcript: parseTranscript([...start, '-> {"execute":"query-name","id":2}', ...lines, "#! end", ""].join("\n")),
  });
  const REPLY = '<- {"return": {"name": "web1"}, "id": 2}';

  it("truncate: a reply ends in its middle, and so does the connection", async () => {
    await using server = await startReplay(during("#! truncate 12", REPLY));
    await using client = await wireClient(server.address);
    await client.negotiate();
    client.send('{"execute":"query-name","id":2}');
    await client.ended;
    expect(client.received()).toBe('{"return": {');
  });

  it.each([["#! reset"], ["#! exit"]])("%s: no reply, and no connection", async (directive) => {
    await using server = await startReplay(during(directive));
    await using client = await wireClient(server.address);
    await client.negotiate();
    client.send('{"execute":"query-name"}');
    await client.ended;
    expect(client.received()).toBe("");
  });

  it("garbage: bytes that are no message, after the reply they followed", async () => {
    await using server = await startReplay(during(REPLY, '#! garbage "\\xff\\x00what\\r\\n"'));
    await using client = await wireClient(server.address);
    await client.negotiate();
    await client.ask("query-name");
    expect(await client.line()).toBe("\xff\0what");
  });

  it("dies, is silent, or breaks off when the test says so", async () => {
    await using server = await startReplay(ECHO);
    await using client = await wireClient(server.addresses["control"] ?? "");
    await using other = await wireClient(server.addresses["watch"] ?? "");
    await client.negotiate();
    await other.negotiate();
    server.send("{what}\r\n");
    expect(await client.line()).toBe("{what}");
    server.reset();
    await client.ended;
    await server.exit();
    await server.exited;
    await other.ended;
  });
});
