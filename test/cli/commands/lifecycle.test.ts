import { describe, expect, test } from "vitest";
import type { StopOptions } from "../../../src/domain/model/action.ts";
import { QmpctlError } from "../../../src/errors.ts";
import { play } from "../scene.ts";

const begun = { name: "web1", pid: 4711, vcpus: 2, memory: 2 ** 30, notes: ["vCPU 1 bound to 0"], elapsed: 300 };
const stopped = { name: "web1", how: "the guest shut down", elapsed: 2140 };

describe("start and restart", () => {
  test.each(["start", "restart"] as const)("%s", async (verb) => {
    const domain = { [verb]: async () => begun };
    expect(await play([verb, "web1"], { domain })).toEqual({
      code: 0,
      stdout: "web1: started, pid 4711, 2 vCPUs, 1GiB\nnote: vCPU 1 bound to 0\n",
      stderr: "",
      opened: ["web1"],
      disposed: 1,
    });
    expect(JSON.parse((await play([verb, "web1", "--json"], { domain })).stdout)).toEqual(begun);
  });

  test("one vCPU is one vCPU", async () => {
    expect((await play(["start", "web1"], { domain: { start: async () => ({ ...begun, vcpus: 1, notes: [] }) } })).stdout).toBe(
      "web1: started, pid 4711, 1 vCPU, 1GiB\n",
    );
  });

  test("--paused and --timeout go to the library", async () => {
    let given: unknown;
    const start = async (options: unknown) => ((given = options), begun);
    await play(["start", "web1", "--paused", "--timeout", "5"], { domain: { start } });
    expect(given).toEqual({
      paused: true,
      timeout: 5000,
      signal: expect.any(AbortSignal) as AbortSignal,
      onAsked: expect.any(Function) as () => void,
      onStopped: expect.any(Function) as () => void,
    });
  });
});

describe("shutdown and destroy", () => {
  test("shutdown", async () => {
    const domain = { shutdown: async () => stopped };
    expect(await play(["shutdown", "web1"], { domain })).toMatchObject({ code: 0, stdout: "web1: the guest shut down after 2.1 s\n" });
    expect(JSON.parse((await play(["shutdown", "web1", "--json"], { domain })).stdout)).toEqual(stopped);
  });

  test("a guest that does not go by the deadline was asked: pending", async () => {
    const shutdown = async () =>
      Promise.reject(new QmpctlError("timeout", "web1: the guest has not shut down in 60 s; `qmpctl destroy web1` does not ask"));
    expect(await play(["shutdown", "web1"], { domain: { shutdown } })).toMatchObject({ code: 5, stdout: "", disposed: 1 });
  });

  test.each([
    [
      true,
      "note: the guest of web1 was asked to shut down and may still do it: qmpctl info web1 shows its state, qmpctl destroy web1 ends it\n",
    ],
    [false, ""],
  ])("an interrupt says what can't be taken back, when the guest has been asked (%s)", async (asked, note) => {
    const interrupt = new AbortController();
    const shutdown = async ({ signal, onAsked }: StopOptions) => {
      if (asked) onAsked?.();
      interrupt.abort(new Error("interrupted by SIGINT"));
      return Promise.reject(signal?.reason as Error);
    };
    expect(await play(["shutdown", "web1"], { domain: { shutdown }, signal: interrupt.signal })).toMatchObject({
      code: 130,
      stderr: expect.stringMatching(new RegExp(`^${note}`)) as string,
    });
    // What fails without an interrupt says why itself.
    const fails = async ({ onAsked }: StopOptions) => (onAsked?.(), Promise.reject(new QmpctlError("timeout", "web1: too late")));
    expect((await play(["shutdown", "web1"], { domain: { shutdown: fails } })).stderr).toBe("qmpctl: web1: too late\n");
  });

  test("destroy", async () =>
    expect((await play(["destroy", "web1"], { domain: { destroy: async () => ({ ...stopped, how: "ended" }) } })).stdout).toBe(
      "web1: ended\n",
    ));

  test("progress on a terminal is wiped before the answer", async () => {
    const shutdown = async ({ onProgress }: StopOptions) => {
      onProgress?.({ what: "shutdown", actual: null, wanted: null, elapsed: 1000, timeout: 60_000 });
      return stopped;
    };
    expect((await play(["shutdown", "web1"], { domain: { shutdown }, columns: 80 })).stderr).toBe(
      "\r\u001b[Kshutdown (1 s of 1 min)\r\u001b[K",
    );
  });
});

test.each([
  ["reset", "reset"],
  ["suspend", "suspended"],
  ["resume", "resumed"],
  ["undefine", "undefined"],
] as const)("%s says what it did", async (verb, what) => {
  let times = 0;
  const domain = { [verb]: async () => void times++ };
  expect(await play([verb, "web1"], { domain })).toMatchObject({ code: 0, stdout: `web1: ${what}\n`, stderr: "" });
  expect(JSON.parse((await play([verb, "web1", "--json"], { domain })).stdout)).toEqual({ name: "web1", done: what });
  expect(times).toBe(2);
});

describe("define", () => {
  const defined = { domain: { name: "web1", configPath: "/etc/qmpctl/web1.json" }, notes: ["-m 1G became memory"] };

  test.each([
    [["define", "web1.json"], { file: "web1.json" }, { replace: false, force: false }],
    [
      ["define", "--", "qemu-system-x86_64", "-m", "1G", "--json"],
      { argv: ["qemu-system-x86_64", "-m", "1G", "--json"] },
      { replace: false, force: false },
    ],
    [["define", "--pid", "4711", "--name", "web1", "--replace"], { pid: 4711 }, { name: "web1", replace: true, force: false }],
  ])("%j", async (argv, source, options) => {
    let given: unknown;
    const define = async (...args: unknown[]) => ((given = args), defined);
    const { code, stdout } = await play(argv, { facade: { define } });
    expect([code, stdout]).toEqual([0, "web1: defined in /etc/qmpctl/web1.json\nnote: -m 1G became memory\n"]);
    expect(given).toEqual([source, options]);
  });

  test("for programs", async () => {
    const { stdout } = await play(["define", "f.json", "--json"], { facade: { define: async () => defined } });
    expect(JSON.parse(stdout)).toEqual({ name: "web1", path: "/etc/qmpctl/web1.json", notes: ["-m 1G became memory"] });
  });

  test.each([
    [["define"], "FILE: missing; give a file"],
    [["define", "--"], "QEMU-COMMAND: missing after --"],
    [["define", "f.json", "--", "qemu"], "more than one source"],
    [["define", "f.json", "--pid", "3"], "more than one source"],
    [["define", "-"], "define -: it reads no standard input"],
    [["define", "--pid", "self"], "--pid self: not a process id"],
    [["define", "--pid", "0"], "--pid 0: not a process id"],
    [["define", "a.json", "b.json"], '"b.json": one operand too many'],
  ])("%j is a usage error", async (argv, why) => {
    const { code, stderr } = await play(argv);
    expect(code).toBe(2);
    expect(stderr).toContain(why);
  });
});
