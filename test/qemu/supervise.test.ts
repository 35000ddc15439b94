import { join } from "node:path";
import { expect, test } from "vitest";
import { configOf } from "../../scripts/lab/facts.ts";
import { bootArgs } from "../../scripts/lab/guest.ts";
import { qemus } from "../../scripts/lab/machine.ts";
import type { RunStep } from "../../src/domain/model/action.ts";
import { runMachine } from "../../src/domain/supervise/run.ts";
import { ownFolder } from "../config/folder.ts";
import { definedDomain, type Scene } from "../domain/scene.ts";

const newest = (await qemus()).at(-1);

/** A guest with a power button and an agent, whose console is a file. */
async function withGuest(): Promise<Scene & { readonly file: string }> {
  const folder = await ownFolder();
  const file = join(folder, "console");
  const args = [...bootArgs({ agent: join(folder, "agent") }), "-nodefaults", "-serial", `file:${file}`];
  const memory = { max: 256 * 2 ** 20, current: 256 * 2 ** 20 };
  const config = { ...configOf(), emulator: newest?.binary ?? "", memory, vcpus: { max: 1, current: 1, pin: {} }, args };
  return { ...(await definedDomain({ ...config, agent: join(folder, "agent") })), file };
}

test.skipIf(newest === undefined)("a start waits for the agent, and for a line on the console; in time or not", async () => {
  const { domain } = await withGuest();
  try {
    expect(await domain.start({ wait: { console: "^GUEST-READY$" } })).toMatchObject({ answer: "GUEST-READY" });
    await expect(domain.start({ wait: { agent: true } })).rejects.toMatchObject({ code: "refused" });
    expect(await domain.restart({ wait: { agent: true } })).toMatchObject({ answer: expect.stringMatching(/agent answers at/) as string });
  } finally {
    await domain.destroy();
  }
});

test.skipIf(newest === undefined)("a machine that is run: a restart is followed, and an abort is the guest's shutdown", async () => {
  const { domain, place } = await withGuest();
  const stop = new AbortController();
  const steps: RunStep[] = [];
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const over = runMachine(place, {
    signal: stop.signal,
    onStep: (step) => {
      steps.push(step);
      begin();
    },
  });
  await Promise.race([begun, over]);
  const first = (await domain.info()).pid;
  await expect(domain.start()).rejects.toMatchObject({ code: "refused" });
  const again = await domain.restart({ wait: { console: "^GUEST-READY$" } });
  expect(again.pid).not.toBe(first);
  expect(again.notes[0]).toMatch(/which supervises it, has started it again/);
  stop.abort();
  expect(await over).toEqual({ name: "web1", pid: again.pid, how: "the guest powered off", clean: true });
  expect(steps.map(({ what }) => what)).toEqual(["started", "started", "stopping"]);
  expect((await domain.info()).state).toBe("stopped");
});

test.skipIf(newest === undefined)("a QEMU that is killed is no clean end; one that destroy ended is", async () => {
  const { domain, place } = await withGuest();
  for (const end of ["kill", "destroy"]) {
    const over = runMachine(place, {
      onStep: (step) => {
        if (step.what !== "started") return;
        if (end === "kill") process.kill(step.report.pid, "SIGKILL");
        else void domain.destroy();
      },
    });
    expect(await over).toMatchObject(end === "kill" ? { clean: false } : { clean: true });
  }
});
