import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configOf } from "../../scripts/lab/facts.ts";
import { bootArgs } from "../../scripts/lab/guest.ts";
import { qemus } from "../../scripts/lab/machine.ts";
import { TINY_OFF, TINY_UP, tinyGuestArgs, writeTinyGuest } from "../../scripts/lab/tiny-guest.ts";
import type { RunStep } from "../../src/domain/model/action.ts";
import { runMachine } from "../../src/domain/supervise/run.ts";
import { ownFolder } from "../config/folder.ts";
import { definedDomain, type Scene } from "../domain/scene.ts";

const newest = (await qemus()).at(-1);

/** A machine with one vCPU and these arguments. */
function machineWith(args: readonly string[], more: { readonly agent?: string } = {}): Promise<Scene> {
  const memory = { max: 256 * 2 ** 20, current: 256 * 2 ** 20 };
  return definedDomain({ ...configOf(), emulator: newest?.binary ?? "", memory, vcpus: { max: 1, current: 1, pin: {} }, args, ...more });
}

/** One whose guest is up in a moment, and its console. */
async function withTinyGuest(): Promise<Scene & { readonly console: string }> {
  const folder = await ownFolder();
  const console = join(folder, "console");
  const disk = join(folder, "tiny.img");
  await writeTinyGuest(disk);
  return { ...(await machineWith([...tinyGuestArgs(disk), "-serial", `file:${console}`])), console };
}

test.skipIf(newest === undefined)("a start waits for the agent of a real guest", async () => {
  const agent = join(await ownFolder(), "agent");
  const { domain } = await machineWith([...bootArgs({ agent }), "-nodefaults"], { agent });
  try {
    expect(await domain.start({ wait: { agent: true } })).toMatchObject({ answer: `its guest agent answers at ${agent}` });
  } finally {
    await domain.destroy();
  }
});

test.skipIf(newest === undefined)("a start waits for a line on the console", async () => {
  const { domain } = await withTinyGuest();
  try {
    expect(await domain.start({ wait: { console: `^${TINY_UP}$` } })).toMatchObject({ answer: TINY_UP });
    await expect(domain.start({ wait: { console: "x" } })).rejects.toMatchObject({ code: "refused" });
  } finally {
    await domain.destroy();
  }
});

test.skipIf(newest === undefined)("a machine that is run: a restart is followed, and an abort is the guest's shutdown", async () => {
  const { domain, place, console } = await withTinyGuest();
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
  // What its guest does not hear yet is pressed again after 5 s.
  await expect.poll(() => readFile(console, "utf8"), { timeout: 60_000 }).toContain(TINY_UP);
  const again = await domain.restart({ wait: { console: `^${TINY_UP}$` } });
  expect(again.pid).not.toBe(first);
  expect(again.notes[0]).toMatch(/which supervises it, has started it again/);
  stop.abort();
  expect(await over).toEqual({ name: "web1", pid: again.pid, how: "the guest powered off", clean: true });
  expect(steps.map(({ what }) => what)).toEqual(["started", "started", "stopping"]);
  expect(await readFile(console, "utf8")).toContain(TINY_OFF);
  expect((await domain.info()).state).toBe("stopped");
});

test.skipIf(newest === undefined)("a QEMU that is killed is no clean end; one that destroy ended is", async () => {
  const { domain, place } = await withTinyGuest();
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
