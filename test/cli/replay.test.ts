import { describe, test } from "vitest";
import { listRecordings, replay } from "../../scripts/scenarios/replay.ts";

// Each verb is a process, and many of them run at once: a loaded host is given minutes.
// The built program against recorded QEMUs, as test/domain/replay.test.ts does it with the library.
describe.concurrent.each(listRecordings().filter(({ scenario }) => scenario.through === "program"))("$qemu $name", (recording) => {
  test(recording.scenario.tells, { timeout: 240_000 }, () => replay(recording));
});
