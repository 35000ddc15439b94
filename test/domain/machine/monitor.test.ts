import { describe, expect, onTestFinished, test } from "vitest";
import { deadlineIn } from "../../../src/deadline.ts";
import { Identity } from "../../../src/domain/machine/identity.ts";
import { Monitor, type MonitorTarget } from "../../../src/domain/machine/monitor.ts";
import { DiedError } from "../../../src/domain/model/errors.ts";
import { identify } from "../../../src/host/signal.ts";
import { QmpFailure, type ReplayServer, startReplay } from "../../../src/testing/index.ts";
import { runProgram } from "../../host/processes.ts";

type Answers = Record<string, () => unknown>;

/** A machine that answers there, and that anybody may be. */
async function target(address: string, pid: number | null = null): Promise<MonitorTarget> {
  const process = pid === null ? null : ((await identify(pid)) ?? null);
  const machine = new Identity({
    domain: "web1",
    name: null,
    id: null,
    process,
    key: "web1",
    control: address,
    watch: null,
    folder: null,
    obstacle: null,
    ours: process !== null,
  });
  return { name: "web1", machine, lastWords: async () => "kvm run failed" };
}

/** How often it was asked for its status: of a new connection it is asked for its name and more besides. */
const asked = (server: ReplayServer): number => server.said.filter(({ command }) => command === "query-status").length;

/** What a QEMU says of itself, which it is asked on each new connection. */
const saying = (
  word: { readonly name?: string; readonly uuid?: string; readonly mark?: string; readonly thread?: number } = {},
): Answers => ({
  "query-name": () => ({ name: word.name ?? "web1" }),
  "query-uuid": () => ({ UUID: word.uuid ?? "0" }),
  "qom-list": () => (word.mark === undefined ? [] : [{ name: `qmpctl-${word.mark}`, type: "child<authz-simple>" }]),
  "query-cpus-fast": () => [
    { "cpu-index": 0, "thread-id": word.thread ?? 7, "qom-path": "/machine/unattached/device[0]", target: "x86_64" },
  ],
});

/** A monitor on a server that answers so. `pid`: the process that stands for QEMU. */
async function opened(answers: Answers, pid: number | null = null): Promise<{ readonly monitor: Monitor; readonly server: ReplayServer }> {
  for (const [command, answer] of Object.entries(saying())) answers[command] ??= answer;
  const server = await startReplay({ answers });
  onTestFinished(() => server.close());
  const monitor = await Monitor.open(await target(server.address, pid), { by: deadlineIn(1000) });
  onTestFinished(() => monitor[Symbol.asyncDispose]());
  return { monitor, server };
}

const ask = (monitor: Monitor) => monitor.ask((session) => session.execute("query-status"));
const paused = { status: "paused", running: false };

describe("a question on a connection that breaks", () => {
  test("is asked once more on a new one", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    const first = monitor.session;
    answers["query-status"] = () => {
      answers["query-status"] = () => paused;
      server.reset();
    };
    expect(await ask(monitor)).toEqual(paused);
    expect(monitor.session).not.toBe(first);
    expect(asked(server)).toBe(2);
  });

  test("is not asked for ever", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    answers["query-status"] = () => server.reset();
    await expect(ask(monitor)).rejects.toMatchObject({ code: "closed" });
    expect(asked(server)).toBe(2);
  });
});

describe("a machine whose connection breaks while it is asked who it is", () => {
  test("is asked once more on a new one, and not for ever", async () => {
    for (const [breaks, opens] of [
      [1, true],
      [2, false],
    ] as const) {
      let left: number = breaks;
      const server = await startReplay({ answers: { ...saying(), "query-uuid": () => (left-- > 0 ? server.reset() : { UUID: "0" }) } });
      onTestFinished(() => server.close());
      const opening = Monitor.open(await target(server.address), { by: deadlineIn(5000) });
      if (opens) await (await opening)[Symbol.asyncDispose]();
      else await expect(opening).rejects.toMatchObject({ code: "closed" });
      expect(server.said.filter(({ command }) => command === "query-uuid")).toHaveLength(2);
    }
  });
});

describe("a question that QEMU refuses", () => {
  test("is not asked again", async () => {
    const { monitor, server } = await opened({
      "query-status": () => {
        throw new QmpFailure("GenericError", "no");
      },
    });
    await expect(ask(monitor)).rejects.toMatchObject({ code: "command", desc: "no" });
    expect(asked(server)).toBe(1);
  });
});

describe("a QEMU that is gone", () => {
  test("is known by its process, and told with its last words", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const answers: Answers = {};
    const { monitor, server } = await opened(answers, cat.pid);
    answers["query-status"] = async () => {
      await cat.kill();
      await server.exit();
    };
    const error: unknown = await ask(monitor).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DiedError);
    expect(error).toMatchObject({ code: "closed", pid: cat.pid, lastWords: "kvm run failed", cause: { code: "closed" } });
    expect((error as DiedError).message).toMatch(
      new RegExp(`^web1: QEMU \\(process ${cat.pid}\\) is gone: .*; its last words: kvm run failed$`),
    );
  });

  test("is known by nobody listening any more, where its process is elsewhere", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    answers["query-status"] = () => server.exit();
    await expect(ask(monitor)).rejects.toMatchObject({ code: "closed", pid: null, lastWords: null });
  });
});

describe("another QEMU at the same address", () => {
  test.each([
    ["another name", { name: "web2" }],
    ["another UUID", { uuid: "1" }],
    ["a mark", { mark: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b" }],
    ["another first vCPU", { thread: 8 }],
  ])("is known by %s after the connection broke: the one before is gone", async (_what, other) => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    answers["query-status"] = () => {
      Object.assign(answers, saying(other), { "query-status": () => paused });
      server.reset();
    };
    const error: unknown = await ask(monitor).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DiedError);
    expect((error as DiedError).message).toBe(
      `web1: QEMU is gone: web1: another QEMU answers at ${server.address} than before: the one that we worked with is gone`,
    );
    // The one that answers now was asked who it is, and nothing else.
    expect(asked(server)).toBe(1);
  });

  test("is not taken for the one before when the connection is renewed either", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    Object.assign(answers, saying({ uuid: "1" }));
    await expect(monitor.renew(deadlineIn(1000))).rejects.toBeInstanceOf(DiedError);
    expect(asked(server)).toBe(0);
  });

  test("that is the same is gone on with", async () => {
    const answers: Answers = { "query-status": () => paused };
    const { monitor } = await opened(answers);
    await monitor.renew(deadlineIn(1000));
    expect(await ask(monitor)).toEqual(paused);
  });
});

describe("the process behind a monitor", () => {
  test("is the one that was known first", async () => {
    const { monitor } = await opened({});
    monitor.foundProcess(null);
    expect(monitor.pid).toBeNull();
    monitor.foundProcess(4711);
    monitor.foundProcess(4712);
    expect(monitor.pid).toBe(4711);
  });
});

describe("a monitor that was let go", () => {
  test("leaves its place to the next client", async () => {
    const { monitor, server } = await opened({ "query-status": () => paused });
    await monitor[Symbol.asyncDispose]();
    await monitor[Symbol.asyncDispose]();
    await using next = await Monitor.open(await target(server.address), { by: deadlineIn(1000) });
    expect(await ask(next)).toEqual(paused);
  });
});
