import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { fakeMachine, readTranscript, recordingMachine, type StandIn } from "../../src/testing/index.ts";
import { wireClient } from "../testing/wire-client.ts";
import { privateFolder, qemus } from "./machine.ts";

const found = await qemus();

async function start(machine: StandIn): Promise<{ readonly status: unknown; readonly control: string; readonly pid: () => Promise<number> }> {
  const at = (name: string): string => join(machine.folder, "run", name);
  const monitors = ["control", "watch"].flatMap((it) => ["-qmp", `unix:${at(`${it}.sock`)},server=on,wait=off`]);
  const child = execFile(machine.emulator, ["-machine", "none", "-display", "none", "-nodefaults", "-S", ...monitors, "-pidfile", at("pid"), "-D", at("log"), "-daemonize"]);
  const [status] = (await once(child, "exit")) as [unknown];
  return { status, control: `unix:${at("control.sock")}`, pid: async () => Number(await readFile(at("pid"), "utf8")) };
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

describe.each(found)("QEMU $version", ({ binary, version }) => {
  it("is recorded through a whole run, and the recording says the same again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmp-"));
    const recorder = await recordingMachine({ emulator: binary, into: folder });
    const real = await converse(recorder);
    await recorder.close();
    const transcript = await readTranscript(join(folder, "1.qmp"));
    expect(transcript.provenance["qemu"]).toMatch(version);
    await using machine = await fakeMachine({ lives: folder });
    expect(await converse(machine)).toEqual(real);
    await machine.verify({ finished: true });
    await rm(folder, { recursive: true });
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

  it("is recorded when it can't start: its words and its status, and the recording fails the same", async () => {
    await using folder = await privateFolder();
    const wrong = ["-machine", "none", "-display", "none", "-nodefaults", "-device", "nosuch-device,id=x", "-qmp", "unix:DIR/control.sock,server=on,wait=off", "-pidfile", "DIR/pid", "-daemonize"];
    const fail = async (machine: StandIn): Promise<{ readonly code: unknown; readonly stderr: string }> => {
      const args = wrong.map((word) => word.replace("DIR", join(machine.folder, "run")));
      const error = (await promisify(execFile)(machine.emulator, args).catch((it: unknown) => it)) as { readonly code: unknown; readonly stderr: string };
      return { code: error.code, stderr: error.stderr.replace(/^(?:\S*\/)?(qemu-system-\w+)\S*: /gm, "$1: ") };
    };
    const recorder = await recordingMachine({ emulator: binary, into: folder.path });
    const real = await fail(recorder);
    expect(real).toMatchObject({ code: 1, stderr: expect.stringContaining("'nosuch-device' is not a valid device model name") as string });
    await recorder.close();
    expect((await readTranscript(join(folder.path, "1.qmp"))).entries.at(-1)).toMatchObject({ directive: { name: "exit", status: "1" } });
    await using machine = await fakeMachine({ lives: folder.path });
    expect(await fail(machine)).toEqual(real);
  });
});
