import { expect, test } from "vitest";
import { startReplay } from "../../src/testing/index.ts";
import { runProgram, start } from "./program.ts";

// A transient domain: the program as a user runs it, against a monitor that somebody else's QEMU has open.
const answers = {
  "query-name": () => ({ name: "guest" }),
  "query-block": () => [],
  "x-echo": (args: unknown) => args,
};

test("qmp prints what a real socket returns", async () => {
  await using server = await startReplay({ answers });
  expect(await runProgram(["qmp", server.address, "query-name"])).toEqual({ code: 0, signal: null, stdout: '{"name":"guest"}\n', stderr: "" });
  const echoed = (await runProgram(["qmp", server.address, "x-echo", "id=vcpu1", "props.core-id=2"])).stdout;
  expect(JSON.parse(echoed)).toEqual({ id: "vcpu1", props: { "core-id": 2 } });
});

test("events come as they happen, one on a line, until ^C: 130, and nothing is said", async () => {
  await using server = await startReplay({ answers });
  const watcher = start(["events", server.address]);
  await expectWatcher(server, watcher);
  server.emit("STOP");
  await watcher.said("STOP");
  server.emit("RESUME");
  await watcher.said("RESUME");
  watcher.child.kill("SIGINT");
  const { code, stdout, stderr } = await watcher.ended;
  expect([code, stderr]).toEqual([130, ""]);
  const names = stdout.trim().split("\n").map((line) => (JSON.parse(line) as { event: string }).event);
  expect(names.filter((name) => name !== "WAKEUP")).toEqual(["STOP", "RESUME"]);
});

test("the end of QEMU ends events with 1, and says so", async () => {
  await using server = await startReplay({ answers });
  const watcher = start(["events", server.address]);
  await expectWatcher(server, watcher);
  server.exit();
  const { code, stderr } = await watcher.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^qmpctl: .*closed/);
});

/** The watcher says nothing when it is ready; it prints events once it is. */
async function expectWatcher(server: { emit(name: string): void }, watcher: ReturnType<typeof start>): Promise<void> {
  const beat = setInterval(() => server.emit("WAKEUP"), 20);
  try {
    await watcher.said("WAKEUP");
  } finally {
    clearInterval(beat);
  }
}
