import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { wireClient } from "../../scripts/lab/wire-client.ts";
import { fakeMachine, readTranscript, recordingMachine, type StandIn } from "../../src/testing/index.ts";

const found = await qemus();

async function start(
  machine: StandIn,
): Promise<{ readonly status: unknown; readonly control: string; readonly pid: () => Promise<number> }> {
  const at = (name: string): string => join(machine.folder, "run", name);
  const monitors = ["control", "watch"].flatMap((it) => ["-qmp", `unix:${at(`${it}.sock`)},server=on,wait=off`]);
  const child = execFile(machine.emulator, [
    "-machine",
    "none",
    "-display",
    "none",
    "-nodefaults",
    "-S",
    ...monitors,
    "-pidfile",
    at("pid"),
    "-D",
    at("log"),
    "-daemonize",
  ]);
  const [status] = (await once(child, "exit")) as [unknown];
  return { status, control: `unix:${at("control.sock")}`, pid: async () => Number(await readFile(at("pid"), "utf8")) };
}

/** Starts it as qmpctl does: it stays our child, and what it says comes to us. */
async function startInForeground(machine: StandIn) {
  const at = (name: string): string => join(machine.folder, "run", name);
  const args = [
    "-machine",
    "none",
    "-display",
    "none",
    "-nodefaults",
    "-S",
    "-qmp",
    `unix:${at("control.sock")},server=on,wait=off`,
    "-pidfile",
    at("pid"),
    "-trace",
    "qemu_system_shutdown_request",
  ];
  const child = spawn(machine.emulator, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  const ended = once(child, "close").then(([code, signal]: unknown[]) => ({ code, signal, stderr }));
  await expect.poll(() => existsSync(at("control.sock")), { timeout: 15_000 }).toBe(true);
  return { ended, control: `unix:${at("control.sock")}`, pid: Number(await readFile(at("pid"), "utf8")) };
}

/** The same conversation, whoever answers. */
async function converse(machine: StandIn): Promise<readonly unknown[]> {
  const { status, control } = await start(machine);
  await using client = await wireClient(control);
  const heard: unknown[] = [status, await client.message(), await client.ask("qmp_capabilities")];
  for (const command of ["query-status", "cont", "query-status", "stop", "nosuch", "quit"]) heard.push(await client.ask(command));
  await client.ended;
  return [...heard, client.events.map((it) => [it["event"], it["data"]])];
}

/** The process that started another, by the kernel's word. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe.each(found)("QEMU $version", ({ binary, version }) => {
  it("is recorded through a whole run, and the recording says the same again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmp-"));
    const recorder = await recordingMachine({ emulator: binary, into: folder });
    const real = await converse(recorder);
    await recorder.close();
    const transcript = await readTranscript(join(folder, "1.qmp"));
    expect(transcript.provenance["qemu"]).toMatch(version);
    await using machine = await fakeMachine({ runs: folder });
    expect(await converse(machine)).toEqual(real);
    await machine.verify({ finished: true });
    await rm(folder, { recursive: true });
  });

  it("is recorded in the foreground: its words and its end too, and the recording ends the same", async () => {
    await using folder = await privateFolder();
    const play = async (machine: StandIn): Promise<unknown> => {
      const { control, ended } = await startInForeground(machine);
      await using client = await wireClient(control);
      await client.negotiate();
      const heard = [await client.ask("query-status"), await client.ask("quit")];
      await client.ended;
      return [heard, await ended];
    };
    const recorder = await recordingMachine({ emulator: binary, into: folder.path });
    const real = await play(recorder);
    expect(real).toMatchObject([
      [{}, {}],
      { code: 0, signal: null, stderr: expect.stringMatching(/qemu_system_shutdown_request reason=2\n$/) as string },
    ]);
    await recorder.close();
    await using machine = await fakeMachine({ runs: folder.path });
    expect(await play(machine)).toEqual(real);
    await machine.verify({ finished: true });
  });

  it("is recorded in the foreground when a signal ends it, sent to it or to who stands for it, and the recorder ends as it did", async () => {
    for (const [whom, signal] of [
      ["qemu", "SIGKILL"],
      ["recorder", "SIGTERM"],
    ] as const) {
      await using folder = await privateFolder();
      const recorder = await recordingMachine({ emulator: binary, into: folder.path });
      const { ended, pid } = await startInForeground(recorder);
      process.kill(whom === "qemu" ? pid : parentOf(pid), signal);
      expect(await ended).toMatchObject(whom === "qemu" ? { code: null, signal } : { code: 0, signal: null });
      await recorder.close();
      expect((await readTranscript(join(folder.path, "1.qmp"))).entries.at(-1)).toMatchObject({
        directive: { name: "exit", status: "outside" },
      });
    }
  });

  it("is recorded when it is killed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmp-"));
    const recorder = await recordingMachine({ emulator: binary, into: folder });
    const first = await start(recorder);
    process.kill(await first.pid(), "SIGTERM");
    await recorder.close();
    const last = (await readTranscript(join(folder, "1.qmp"))).entries.at(-1);
    expect(last).toMatchObject({ kind: "directive", directive: { name: "exit", status: "outside" } });
    expect(await readdir(folder)).toEqual(["1.qmp"]);
    await rm(folder, { recursive: true });
  });

  it.each([
    ["in the background", "-daemonize"],
    ["in the foreground", "-S"],
  ])("is recorded when it can't start %s: its words and its status, and the recording fails the same", async (_, where) => {
    await using folder = await privateFolder();
    const wrong = [
      "-machine",
      "none",
      "-display",
      "none",
      "-nodefaults",
      "-device",
      "nosuch-device,id=x",
      "-qmp",
      "unix:DIR/control.sock,server=on,wait=off",
      "-pidfile",
      "DIR/pid",
      where,
    ];
    const fail = async (machine: StandIn): Promise<{ readonly code: unknown; readonly stderr: string }> => {
      const args = wrong.map((word) => word.replace("DIR", join(machine.folder, "run")));
      const error = (await promisify(execFile)(machine.emulator, args).catch((it: unknown) => it)) as {
        readonly code: unknown;
        readonly stderr: string;
      };
      return { code: error.code, stderr: error.stderr.replace(/^(?:\S*\/)?(qemu-system-\w+)\S*: /gm, "$1: ") };
    };
    const recorder = await recordingMachine({ emulator: binary, into: folder.path });
    const real = await fail(recorder);
    expect(real).toMatchObject({ code: 1, stderr: expect.stringContaining("'nosuch-device' is not a valid device model name") as string });
    await recorder.close();
    expect((await readTranscript(join(folder.path, "1.qmp"))).entries.at(-1)).toMatchObject({ directive: { name: "exit", status: "1" } });
    await using machine = await fakeMachine({ runs: folder.path });
    expect(await fail(machine)).toEqual(real);
  });
});
