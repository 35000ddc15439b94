import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fakeMachine, parseTranscript, startAgent, startRecorder, startReplay } from "../../src/testing/index.ts";

const DAMAGED = parseTranscript('<- {"return": {}, "id": 7}\n-> {"execute": 1}\n#! end\n');
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmp-"));
  vi.stubEnv("TMPDIR", folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

it("nothing stays in the temporary folder of what was used and closed", async () => {
  {
    await using server = await startReplay();
    await using _agent = await startAgent();
    await using _recorder = await startRecorder({ monitors: [{ name: "control", upstream: server.address }] });
    await using _machine = await fakeMachine({ runs: [] });
    expect((await readdir(folder)).length).toBe(4);
  }
  expect(await readdir(folder)).toEqual([]);
});

it.each<[string, () => Promise<unknown>]>([
  ["a replay of a damaged transcript", () => startReplay({ transcript: DAMAGED })],
  ["a replay without its schema", () => startReplay({ schema: "/nowhere/schema.json" })],
  ["a replay at no address", () => startReplay({ monitors: [{ name: "control" }, { name: "watch", address: "nowhere" }] })],
  ["a replay in no folder", () => startReplay({ monitors: [{ name: "control" }, { name: "watch", address: "unix:/nowhere/x.sock" }] })],
  ["a recorder of nothing", () => startRecorder({ monitors: [{ name: "control", upstream: "nowhere" }] })],
  [
    "a recorder in no folder",
    () =>
      startRecorder({
        monitors: [
          { name: "a", upstream: "unix:/x" },
          { name: "b", upstream: "unix:/x", listen: "unix:/nowhere/x.sock" },
        ],
      }),
  ],
  ["an agent in no folder", () => startAgent({ address: "unix:/nowhere/x.sock" })],
  ["a machine without its transcript", () => fakeMachine({ runs: "/nowhere.qmp" })],
])("nothing stays of what could not start: %s", async (_name, start) => {
  await expect(start()).rejects.toThrow();
  expect(await readdir(folder)).toEqual([]);
});
