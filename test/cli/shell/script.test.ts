import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { QmpctlError } from "../../../src/errors.ts";
import { TimeoutError } from "../../../src/qmp/errors.ts";
import { play, type Played, SlowPaper, type Stage } from "../scene.ts";
import { puppet, type Puppet } from "./monitors.ts";

const answers = {
  "query-status": () => ({ status: "running" }),
  balloon: () => ({}),
  device_del: () => ({}),
  "human-monitor-command": () => "VM status: running\r\n",
  slow: () => Promise.reject(new TimeoutError("slow", 1000, "busy")),
  gone: () => Promise.reject(new QmpctlError("closed", "gone: the peer closed the connection")),
  quit: () => Promise.reject(new QmpctlError("closed", "quit: the peer closed the connection")),
};

async function script(text: string, options: readonly string[] = [], stage: Stage = {}): Promise<Played & { readonly monitor: Puppet }> {
  const monitor = await puppet(answers);
  const played = await play(["qmp", "web1", ...options], {
    stdin: Readable.from([text]),
    ...stage,
    domain: { connect: async () => monitor },
  });
  return { ...played, monitor };
}

test("each command's result is one line of JSON; comments and empty lines are none", async () => {
  const { code, stdout, stderr, monitor, disposed } = await script("# begin\nquery-status\n\n  balloon value=300M\n!info status\n");
  expect([code, stderr, disposed]).toEqual([0, "", 1]);
  expect(stdout).toBe('{"status":"running"}\n{}\n"VM status: running\\r\\n"\n');
  expect(monitor.sent.map(([name, args]) => [name, args])).toEqual([
    ["query-status", {}],
    ["balloon", { value: 314572800 }],
    ["human-monitor-command", { "command-line": "info status" }],
  ]);
});

test("a statement goes on until its brackets close, and the last line needs no end", async () => {
  const { code, stdout, monitor } = await script('device_del {\n  "id":\r\n  "vcpu1"\n}\n{"execute": "query-name",\n"id": 7}');
  expect([code, stdout]).toEqual([0, "{}\n7\n"]);
  expect(monitor.sent).toEqual([
    ["device_del", { id: "vcpu1" }],
    ["exchange", { execute: "query-name", id: 7 }],
  ]);
});

describe("an error", () => {
  test("ends it: its result, and why with the line's number; 1", async () => {
    const { code, stdout, stderr } = await script("query-status\n\nnot-there\nquery-status\n");
    expect(code).toBe(1);
    expect(stdout.split("\n")).toHaveLength(3);
    expect(JSON.parse(stdout.split("\n")[1] ?? "")).toEqual({
      error: {
        code: "command",
        message: expect.any(String) as string,
        command: "not-there",
        class: "CommandNotFound",
        desc: "The command not-there has not been found",
      },
    });
    expect(stderr).toBe("qmpctl: line 3: not-there: The command not-there has not been found (CommandNotFound)\n");
  });

  test("in a whole request too", async () =>
    expect(await script('{"execute": "nothing"}')).toMatchObject({
      code: 1,
      stderr: "qmpctl: line 1: nothing: no such command (CommandNotFound)\n",
    }));

  test.each([
    ["a b", 2, "b: not KEY=VALUE"],
    ["balloon value=x", 2, '"x" is not an integer'],
    ["a {\n", 2, "a bracket is never closed"],
    ["help", 2, "help: only in a terminal"],
    ["slow", 5, "no answer within 1000 ms"],
  ])("of its own kind has its own code: %j", async (text, code, message) => {
    expect(await script(text)).toMatchObject({ code, stderr: expect.stringContaining(message) as string });
  });

  test("does not end it with --keep-going; the first one's code counts", async () => {
    const { code, stdout, stderr } = await script("not-there\na b\nquery-status\n", ["--keep-going"]);
    expect([code, stdout.trim().split("\n").length, stderr.trim().split("\n").length]).toEqual([1, 3, 2]);
    expect(stdout.endsWith('{"status":"running"}\n')).toBe(true);
  });

  test("of the connection ends it even so", async () => {
    expect(await script("gone\nquery-status\n", ["--keep-going"])).toMatchObject({ code: 1, monitor: { sent: [["gone", {}]] } });
  });
});

test("quit takes the connection along, and has worked", async () =>
  expect(await script("quit\n")).toMatchObject({ code: 0, stdout: "{}\n", stderr: "" }));

test("exit leaves, with what came so far", async () =>
  expect(await script("query-status\nexit\nnot-there\n")).toMatchObject({ code: 0, stdout: '{"status":"running"}\n' }));

test("--json: one object a result, with the line's number", async () => {
  const { stdout } = await script("\nquery-status\nnot-there", ["--json"]);
  const [first, second] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(first).toEqual({ line: 2, input: "query-status", return: { status: "running" } });
  expect(second).toMatchObject({ line: 3, input: "not-there", error: { class: "CommandNotFound" } });
});

test("--hmp, and the two words that change the language", async () => {
  const { code, monitor } = await script("info { status\nqmp\nquery-status\nhmp\ninfo cpus\n", ["--hmp"]);
  expect([code, monitor.sent.map(([name, args]) => (args as Record<string, unknown>)["command-line"] ?? name)]).toEqual([
    0,
    ["info { status", "query-status", "info cpus"],
  ]);
});

test("the next command waits until the result before it was taken", async () => {
  const paper = new SlowPaper();
  const played = script("query-status\nballoon value=1G\nnot-there\nquery-status\n", ["--keep-going"], { stdout: paper });
  for (let count = 1; count <= 4; count++) {
    await expect.poll(() => paper.text.split("\n").length - 1).toBe(count);
    await paper.take();
  }
  expect((await played).code).toBe(1);
  expect(paper.unasked).toBe(0);
});

test("an interrupt ends it with 130", async () => {
  const interrupt = new AbortController();
  const stdin = new Readable({ read() {} });
  stdin.push("query-status\n");
  const stage = { stdin, signal: interrupt.signal };
  stdin.once("resume", () => setImmediate(() => interrupt.abort(new Error("interrupted by SIGINT"))));
  expect(await script("", [], stage)).toMatchObject({ code: 130, stderr: "qmpctl: interrupted by SIGINT\n" });
});

test("a terminal that is only half one is no place for a shell", async () => {
  expect(await script("query-status\n", [], { columns: 80 })).toMatchObject({ code: 0, stdout: '{"status":"running"}\n' });
});
