import { describe, expect, test } from "vitest";
import { connect } from "../../src/qmp/session.ts";
import { startReplay } from "../../src/testing/index.ts";
import { listRecordings, RECORDINGS, replay } from "../../scripts/scenarios/replay.ts";

// What real QEMU and a real guest did, without them: each recording with the scenario that it was recorded by. A new folder is a new test.
const recordings = listRecordings().filter(({ scenario }) => scenario.through === "library");

describe.concurrent.each(recordings)("$qemu $name", (recording) => {
  test(recording.scenario.tells, { timeout: 60_000 }, () => replay(recording));
});

test("there are recordings of two QEMUs at least", () => {
  expect(new Set(recordings.map((it) => it.qemu)).size).toBeGreaterThanOrEqual(2);
});

test("an event before the greeting is no obstacle", async () => {
  await using server = await startReplay({ transcript: `${RECORDINGS}/7.2.22_x86_64/wire-early-event.qmp` });
  await using session = await connect(server.address);
  expect(await session.execute("query-name")).toEqual({});
  expect(session.greeting.version.qemu).toEqual({ major: 7, minor: 2, micro: 22 });
});
