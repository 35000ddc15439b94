import { describe, expect, test } from "vitest";
import { listRecordings, RECORDINGS, replay } from "../../scripts/scenarios/replay.ts";
import { scenarios } from "../../scripts/scenarios/table.ts";
import { connect } from "../../src/qmp/session.ts";
import { MismatchError, startReplay } from "../../src/testing/index.ts";

// What real QEMU and a real guest did, without them: each recording with the scenario that it was recorded by. A new folder is a new test.
const recordings = listRecordings().filter(({ scenario }) => scenario.through === "library");

describe.concurrent.each(recordings)("$qemu $name", (recording) => {
  test(recording.scenario.tells, { timeout: 240_000 }, () => replay(recording));
});

test("every scenario is recorded, from two QEMUs at least", () => {
  const recorded = Object.keys(scenarios).map((name) => [name, listRecordings().filter((it) => it.name === name).length]);
  expect(recorded.filter(([, count]) => Number(count) < 2)).toEqual([]);
});

test("what is not as recorded fails, with the recording's file and line", async () => {
  const [one, other] = ["persist-revert", "setvcpus-paused"].map((name) => recordings.find((it) => it.name === name));
  if (one === undefined || other === undefined) throw new Error("the recordings are gone");
  const error = await replay({ ...one, folder: other.folder }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MismatchError);
  expect(error).toMatchObject({ message: expect.stringMatching(/_x86_64\/setvcpus-paused\/1\.qmp:\d+\)/) });
});

test("an event before the greeting is no obstacle", async () => {
  await using server = await startReplay({ transcript: `${RECORDINGS}/7.2.22_x86_64/wire-early-event.qmp` });
  await using session = await connect(server.address);
  expect(await session.execute("query-name")).toEqual({});
  expect(session.greeting.version.qemu).toEqual({ major: 7, minor: 2, micro: 22 });
});
