import { describe, test } from "vitest";
import { listRecordings, replay } from "../../scripts/scenarios/replay.ts";

// The built program against recorded QEMUs, as test/domain/replay.test.ts does it with the library.
describe.concurrent.each(listRecordings().filter(({ scenario }) => scenario.through === "program"))("$qemu $name", (recording) => {
  test(recording.scenario.tells, { timeout: 60_000 }, () => replay(recording));
});
