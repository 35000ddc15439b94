import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReplay } from "../../src/testing/index.ts";
import { GREETING, monitor } from "../qmp/peer.ts";
import { program, runProgram, start, WHO } from "./program.ts";

// A transient domain: the program as a user runs it, against a monitor that somebody else's QEMU has open.
const answers = {
  ...WHO,
  "query-block": () => [],
  "x-echo": (args: unknown) => args,
};

test("qmp prints what a real socket returns", async () => {
  await using server = await startReplay({ answers });
  expect(await runProgram(["qmp", server.address, "query-name"])).toEqual({
    code: 0,
    signal: null,
    stdout: '{"name":"guest"}\n',
    stderr: "",
  });
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
  const names = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { event: string }).event);
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

test("F7: the end of QEMU after a SHUTDOWN ends events with 0, and nothing is said", async () => {
  await using server = await startReplay({ answers });
  const watcher = start(["events", server.address]);
  await expectWatcher(server, watcher);
  server.emit("SHUTDOWN", { guest: true, reason: "guest-shutdown" });
  await watcher.said("SHUTDOWN");
  server.exit();
  expect(await watcher.ended).toMatchObject({ code: 0, stderr: "" });
});

test("E4: a flood of events into a reader that does not read: what is kept has a bound, which is told when it reads", async () => {
  const events = 60_000;
  await using server = await monitor(({ id }, client) =>
    client.write(`${JSON.stringify({ error: { class: "CommandNotFound", desc: "not here" }, id })}\r\n`),
  );
  const connected = once(server.server, "connection") as Promise<[Socket]>;
  const watcher = spawn(process.execPath, [program, "events", server.address], {
    env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  watcher.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = once(watcher, "close");
  const event = (name: string): string =>
    `${JSON.stringify({ event: name, data: { text: "x".repeat(200) }, timestamp: { seconds: 1, microseconds: 2 } })}\r\n`;
  const [client] = await connected;
  const beat = setInterval(() => client.write(event("FIRST")), 20);
  await once(watcher.stdout, "readable");
  clearInterval(beat);
  // Sent when all of it is taken: the watcher reads on, so that QEMU does not keep it either (R42).
  await new Promise((resolve) => client.write(event("FLOOD").repeat(events), resolve));
  let lines = 0;
  watcher.stdout.on("data", (chunk: Buffer) => chunk.forEach((byte) => (lines += byte === 0x0a ? 1 : 0)));
  const [code] = (await exit) as [number];
  expect([code, stderr]).toEqual([1, "qmpctl: event stream: more than 10000 events wait to be read\n"]);
  expect(lines).toBeGreaterThan(10_000);
  expect(lines).toBeLessThan(events / 2);
});

/** A monitor on stdin and stdout that takes no notice of being asked to end. */
const STUBBORN = `
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(name, () => {});
require("node:fs").writeFileSync(process.argv[2], String(process.pid));
if (process.argv[3] === "greets") process.stdout.write(${JSON.stringify(`${JSON.stringify(GREETING)}\n`)});
require("node:readline").createInterface({ input: process.stdin }).on("line", (text) => process.stdout.write(JSON.stringify({ return: {}, id: JSON.parse(text).id }) + "\\n"));
setInterval(() => {}, 1000);
`;

test.each([
  ["after its answer", "greets", "x-anything", 0],
  ["when connecting takes too long", "mute", "x-anything", 1],
  ["at an interrupt", "mute", "interrupt", 130],
  ["at a second interrupt, which waits for nothing", "mute", "interrupt twice", 130],
])("an exec: program that won't end is gone when the command is: %s", async (_, how, what, code) => {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const [script, pidfile] = [join(folder, "stubborn.cjs"), join(folder, "pid")];
  await writeFile(script, STUBBORN);
  try {
    const command = start([
      "qmp",
      `exec:${JSON.stringify([process.execPath, script, pidfile, how])}`,
      "x-anything",
      "--timeout",
      what === "x-anything" ? "2s" : "1m",
    ]);
    await expect.poll(async () => (existsSync(pidfile) ? readFile(pidfile, "utf8") : ""), { timeout: 10_000 }).not.toBe("");
    if (what.startsWith("interrupt")) command.child.kill("SIGINT");
    // Two signals that come together are one.
    if (what.endsWith("twice"))
      await expect.poll(() => (command.child.kill("SIGINT"), command.child.exitCode), { interval: 50, timeout: 900 }).toBe(130);
    expect((await command.ended).code).toBe(code);
    expect(await runs(pidfile)).toBe(false);
  } finally {
    if (await runs(pidfile)) process.kill(Number(await readFile(pidfile, "utf8")), "SIGKILL");
    await rm(folder, { recursive: true });
  }
});

/** Whether the process of a pidfile runs. One whose parent is gone may stay as a zombie, where nobody waits for it. */
async function runs(pidfile: string): Promise<boolean> {
  const status = existsSync(pidfile) ? `/proc/${await readFile(pidfile, "utf8")}/status` : "";
  return existsSync(status) && !/^State:\s+Z/m.test(await readFile(status, "utf8"));
}

/** The watcher says nothing when it is ready; it prints events once it is. */
async function expectWatcher(server: { emit(name: string): void }, watcher: ReturnType<typeof start>): Promise<void> {
  const beat = setInterval(() => server.emit("WAKEUP"), 20);
  try {
    await watcher.said("WAKEUP");
  } finally {
    clearInterval(beat);
  }
}
