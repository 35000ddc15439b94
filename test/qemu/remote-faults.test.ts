import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../../scripts/faults/remote/faults.ts";
import { tryFar } from "../../scripts/faults/remote/matrix.ts";
import { Stage } from "../../scripts/faults/remote/stage.ts";
import { missingForHosts } from "../../scripts/lab/hosts.ts";
import { installed } from "../../scripts/lab/machine.ts";

const missing = await missingForHosts();

// All of them at all steps: npm run faults -- --remote.
const FEW = [
  ["Ctrl-C on a terminal", "qmp-wait"],
  ["state folder full", "qmp-wait"],
] as const;

describe.skipIf(missing.length > 0)("a change on another host", () => {
  let stage: Stage;
  beforeAll(async () => void (stage = await Stage.open(await installed())), 120_000);
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  test.each(FEW)("ends as promised, with %s at %s", { timeout: 120_000 }, async (name, step) => {
    const fault = FAULTS.find((each) => each.name === name);
    if (fault === undefined) throw new Error(`no such fault: ${name}`);
    expect(await tryFar(stage, fault, step, "undo")).toMatchObject({ fault: name, step, result: "held" });
  });
});

test("hosts to break are there", ({ skip }) => {
  if (missing.length > 0) skip(`${missing.join(", ")} missing: npm run testbed -- --install --hosts, as root`);
});
