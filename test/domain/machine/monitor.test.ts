import { describe, expect, onTestFinished, test } from "vitest";
import { DiedError } from "../../../src/domain/errors.ts";
import { Monitor } from "../../../src/domain/machine/monitor.ts";
import { QmpFailure, type ReplayServer, startReplay } from "../../../src/testing/index.ts";
import { runProgram } from "../../host/processes.ts";

type Answers = Record<string, () => unknown>;

/** A monitor on a server that answers so. `pid`: the process that stands for QEMU. */
async function opened(answers: Answers, pid: number | null = null): Promise<{ readonly monitor: Monitor; readonly server: ReplayServer }> {
  const server = await startReplay({ answers });
  onTestFinished(() => server.close());
  const target = { name: "web1", address: server.address, pid, lastWords: async () => "kvm run failed" };
  const monitor = await Monitor.open(target, { timeout: 1000 });
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
    expect(server.said).toHaveLength(2);
  });

  test("is not asked for ever", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    answers["query-status"] = () => server.reset();
    await expect(ask(monitor)).rejects.toMatchObject({ code: "closed" });
    expect(server.said).toHaveLength(2);
  });
});

describe("a question that QEMU refuses", () => {
  test("is not asked again", async () => {
    const { monitor, server } = await opened({ "query-status": () => { throw new QmpFailure("GenericError", "no"); } });
    await expect(ask(monitor)).rejects.toMatchObject({ code: "command", desc: "no" });
    expect(server.said).toHaveLength(1);
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
    expect((error as DiedError).message).toMatch(new RegExp(`^web1: QEMU \\(process ${cat.pid}\\) is gone: .*; its last words: kvm run failed$`));
  });

  test("is known by nobody listening any more, where its process is elsewhere", async () => {
    const answers: Answers = {};
    const { monitor, server } = await opened(answers);
    answers["query-status"] = () => server.exit();
    await expect(ask(monitor)).rejects.toMatchObject({ code: "closed", pid: null, lastWords: null });
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
    await using next = await Monitor.open({ name: "web1", address: server.address, pid: null, lastWords: async () => null }, { timeout: 1000 });
    expect(await ask(next)).toEqual(paused);
  });
});
