import { join } from "node:path";
import { expect, test } from "vitest";
import { deadlineIn } from "../../../src/deadline.ts";
import { HeldError } from "../../../src/domain/machine/holders.ts";
import { Identity } from "../../../src/domain/machine/identity.ts";
import { openSession } from "../../../src/domain/machine/open.ts";
import { ownFolder } from "../../config/folder.ts";
import { runModule } from "../../host/processes.ts";

/** A monitor that takes every client and greets none, in a process of its own. */
async function silentMonitor(): Promise<{ readonly path: string; readonly machine: Identity }> {
  const path = join(await ownFolder(), "m.sock");
  await runModule(
    `(await import("node:net")).createServer((socket) => socket.on("error", () => {})).listen(${JSON.stringify(path)}, () => console.log("up"))`,
  );
  const machine = new Identity({
    domain: "web1",
    name: null,
    id: null,
    process: null,
    key: "web1",
    control: `unix:${path}`,
    watch: null,
    folder: null,
    obstacle: null,
    ours: false,
  });
  return { path, machine };
}

const holder = (path: string) => runModule(`(await import("node:net")).connect(${JSON.stringify(path)}, () => console.log("in"))`);

test("a monitor that another process holds is waited for, and that one is named meanwhile; when it has left and nothing comes, that is told at once", async () => {
  const { path, machine } = await silentMonitor();
  const { pid, kill } = await holder(path);
  const told: string[] = [];
  let gone = (): void => {};
  const named = new Promise<void>((resolve) => (gone = resolve));
  const opening = openSession(machine, { by: deadlineIn(100), heldBy: deadlineIn(60_000), onHeld: (what) => (told.push(what), gone()) });
  const failed = expect(opening).rejects.toMatchObject({
    code: "greeting",
    message: expect.stringContaining("no other process holds this monitor") as string,
  });
  await named;
  expect(told[0]).toMatch(new RegExp(`^waiting for the monitor, which process ${pid} \\(.{1,21}\\) holds$`));
  await kill();
  await failed;
});

test("one that is held for longer than there is time names who holds it; without time for that, as soon as a machine had to answer", async () => {
  const { path, machine } = await silentMonitor();
  const { pid } = await holder(path);
  for (const heldBy of [600, undefined]) {
    const more = heldBy === undefined ? {} : { heldBy: deadlineIn(heldBy) };
    const error = await openSession(machine, { by: deadlineIn(100), ...more }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HeldError);
    expect(error).toMatchObject({
      code: "greeting",
      holders: [{ pid, isCertain: true }],
      message: expect.stringMatching(new RegExp(`^web1: its monitor unix:${path} is held by process ${pid} `)) as string,
    });
  }
});

test("one that is found when the time is over gets a tenth of a second all the same, and is not said to have had none", async () => {
  const { machine } = await silentMonitor();
  const began = performance.now();
  const error: unknown = await openSession(machine, { by: deadlineIn(0) }).catch((reason: unknown) => reason);
  expect([performance.now() - began > 90, String(error)]).toEqual([true, expect.not.stringMatching(/within [01] ms/)]);
});
