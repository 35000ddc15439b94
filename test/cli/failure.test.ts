import { describe, expect, test } from "vitest";
import { exitCodeOfError } from "../../src/cli/exit-code.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import { type ErrorCode, HostError, QmpctlError } from "../../src/errors.ts";
import { play, reportOf } from "./scene.ts";

const setmem = ["setmem", "web1", "300M"];
const failing = (error: unknown) => ({ domain: { change: async () => Promise.reject(error) } });

const refused = new RefusedError(
  reportOf({
    outcome: "refused",
    refusals: [
      { leg: "dynamic", reason: "web1 has no balloon device", instead: "start it with -device virtio-balloon-pci" },
      { leg: "static", reason: "300MiB is below memory.min 512MiB" },
    ],
  }),
);
const restored = new ChangeError(reportOf({ outcome: "rolled-back", finish: "qmpctl setmem web1 300M" }), "QEMU said no", {
  cause: new Error("no"),
});
const partial = new ChangeError(reportOf({ outcome: "failed", takeBack: "qmpctl setmem web1 1G" }), "QEMU is gone", {
  cause: new Error("gone"),
});

describe("for people", () => {
  test("a refusal gives every reason and what would work, on stderr", async () => {
    expect(await play(setmem, failing(refused))).toMatchObject({
      code: 3,
      stdout: "",
      stderr: [
        "qmpctl: web1: refused, nothing was touched",
        "  dynamic: web1 has no balloon device",
        "    instead: start it with -device virtio-balloon-pci",
        "  static: 300MiB is below memory.min 512MiB",
        "",
      ].join("\n"),
      disposed: 1,
    });
  });

  test("a change that failed shows its report on stdout and why on stderr", async () => {
    const { code, stdout, stderr } = await play(setmem, failing(restored));
    expect([code, stderr]).toEqual([1, "qmpctl: web1: QEMU said no; everything is as it was\n"]);
    expect(stdout).toContain("memory    dynamic  1GiB -> 300MiB");
    expect(stdout).toContain("to finish it:  qmpctl setmem web1 300M\n");
  });

  test("a failure that names the domain already does not name it twice", () => {
    expect(new ChangeError(reportOf({ outcome: "failed" }), "web1: QEMU is gone", { cause: new Error("x") }).message).toBe(
      "web1: QEMU is gone",
    );
  });

  test("an error of the library is its message and no stack", async () => {
    expect(await play(setmem, failing(new QmpctlError("locked", "web1: locked by process 12")))).toMatchObject({
      code: 3,
      stdout: "",
      stderr: "qmpctl: web1: locked by process 12\n",
    });
  });

  test("a mistake of ours says so, with the stack", async () => {
    const { code, stderr } = await play(setmem, failing(new TypeError("x is not a function")));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^qmpctl: internal error: TypeError: x is not a function\n +at /);
  });
});

describe("for programs (--json)", () => {
  test.each([
    ["refused", refused, 3],
    ["rolled back", restored, 1],
    ["partial", partial, 4],
  ])("%s: the report", async (_, error, code) => {
    const played = await play([...setmem, "--json"], failing(error));
    expect(played.code).toBe(code);
    expect(JSON.parse(played.stdout)).toEqual(error.report);
    expect(played.stderr).not.toBe("");
  });

  test("else the error with its evidence and its cause", async () => {
    const error = new HostError(
      "taskset: exit status 1",
      { command: ["taskset", "-pc", "7", "12"], stderr: "invalid argument" },
      { cause: new Error("spawned") },
    );
    const { stdout, code } = await play([...setmem, "--json"], failing(error));
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "host",
        message: "taskset: exit status 1",
        command: ["taskset", "-pc", "7", "12"],
        stderr: "invalid argument",
        cause: "spawned",
      },
    });
  });

  test("what is no error at all", async () => {
    expect(JSON.parse((await play([...setmem, "--json"], failing("odd"))).stdout)).toEqual({ error: { code: "internal", message: "odd" } });
  });
});

describe("interrupts", () => {
  const reason = new Error("interrupted by SIGINT");
  const signal = AbortSignal.abort(reason);

  test("what was undone ends with 130 and shows its report", async () => {
    const played = await play(setmem, {
      ...failing(new ChangeError(reportOf({ outcome: "rolled-back" }), "interrupted", { cause: reason })),
      signal,
    });
    expect(played).toMatchObject({ code: 130, stderr: "qmpctl: web1: interrupted; everything is as it was\n" });
    expect(played.stdout).toContain("memory");
  });

  test("what rejects with the reason itself says the reason", async () => {
    expect(await play(setmem, { ...failing(reason), signal })).toMatchObject({
      code: 130,
      stdout: "",
      stderr: "qmpctl: interrupted by SIGINT\n",
    });
  });

  test("what could not be undone outranks it", () => expect(exitCodeOfError(partial, signal)).toBe(4));

  test("what was done before the interrupt arrived is done", async () => {
    expect((await play(setmem, { domain: { change: async () => reportOf() }, signal })).code).toBe(0);
  });
});

test.each([
  ["usage", 2],
  ["connect", 1],
  ["greeting", 1],
  ["negotiation", 1],
  ["command", 1],
  ["timeout", 5],
  ["closed", 1],
  ["protocol", 1],
  ["refused", 3],
  ["config", 3],
  ["host", 1],
  ["locked", 3],
  ["rolled-back", 1],
  ["partial", 4],
] satisfies [ErrorCode, number][])("an error with code %s ends with %i", (code, exit) => {
  expect(exitCodeOfError(new QmpctlError(code, "x"), new AbortController().signal)).toBe(exit);
});

describe("a refusal by the guest", () => {
  const why = "unplug: the guest refused to let go of vCPU 1 (the device is in use by an application, _OST status 128)";
  const leg = { before: 2, wanted: 1, actual: 2 } as const;
  const vcpu = {
    change: { resource: "vcpus", count: 1 },
    static: { ...leg, outcome: "rolled-back", reason: why },
    dynamic: { ...leg, outcome: "rolled-back", reason: why },
  } as const;
  const memory = { ...vcpu, change: { resource: "memory", size: 2 ** 28 } } as const;

  test.each([undefined, 40, 80, 200])("is told once, on whichever stream (columns: %s)", async (columns) => {
    const report = reportOf({ outcome: "rolled-back", changes: [vcpu, memory] });
    const fail = async (): Promise<never> => {
      throw new ChangeError(report, why, { cause: undefined });
    };
    const { code, stdout, stderr } = await play(["setvcpus", "web1", "1"], {
      domain: { change: fail },
      ...(columns === undefined ? {} : { columns, env: { NO_COLOR: "1" } }),
    });
    expect(code).toBe(1);
    expect((stdout + stderr).replace(/\s+/g, " ").split("the guest refused to let go").length - 1).toBe(1);
    expect(stderr.replace(/\s+/g, " ")).toContain(why);
  });

  test("that no message tells stands in the table, once", async () => {
    const { stdout } = await play(["setvcpus", "web1", "1"], {
      domain: { change: async () => reportOf({ outcome: "pending", changes: [vcpu, memory] }) },
    });
    expect(stdout.split(why).length - 1).toBe(1);
  });
});
