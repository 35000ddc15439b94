import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FAULTS } from "../../scripts/faults/faults.ts";
import { randomKills } from "../../scripts/faults/kills.ts";
import { OLD_CHOICES, REAL_CHOICES, runSequences } from "../../scripts/faults/model-run.ts";
import { REAL_FAULTS } from "../../scripts/faults/real-faults.ts";
import { openReal, replugs } from "../../scripts/faults/real-rig.ts";
import { Command, leftoversOf, type Rig, textOf, wantedOf } from "../../scripts/faults/rig.ts";
import { tryFault } from "../../scripts/faults/run.ts";
import { at, diskFault } from "../../scripts/faults/steps.ts";
import { qemusInTime } from "../../scripts/lab/machine.ts";

// CI has the newest one in `npm run faults`.
const found = await qemusInTime(1);

/** What the command line says to these words on this domain. */
async function cli(
  rig: Rig,
  ...words: readonly string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Command(rig, words).ended;
}

/** A change of both halves, killed when its balloon is asked for: plugged and pinned, and nothing written. */
async function killedChange(rig: Rig): Promise<string> {
  const path = join(rig.runtime, "..", "wanted.json");
  await writeFile(path, JSON.stringify(wantedOf(rig)));
  let command: Command | undefined;
  at(rig, "balloon", () => (command?.kill("SIGKILL"), "break"));
  command = new Command(rig, ["apply", "web", path, "--static", "--dynamic"]);
  expect((await command.ended).code).toBeNull();
  rig.proxy.arm(undefined);
  return path;
}

// What is kept of a change, and what recover makes of it, is no matter of the release: on the one of this host and the newest. A kill at
// each step is on all of them, below.
describe.each(found.filter((qemu) => qemu.suite === "installed" || qemu === found.at(-1)))(
  "a change on QEMU $version whose process was killed",
  (qemu) => {
    test("is named by the next command, which touches nothing, and by info; reading goes on; each way resolves it", async () => {
      await using rig = await openReal(qemu);
      const before = { text: await textOf(rig), look: await rig.look() };
      const wanted = await killedChange(rig);
      const half = await rig.look();
      expect(half?.masks["0"]).toBe("0");
      const next = await cli(rig, "setmem", "web", "500M", "--balloon");
      expect(next.code).toBe(3);
      expect(next.stderr).toMatch(
        /^qmpctl: web: a change was interrupted: process \d+ died during it \(since [^)]+\): memory to 400MiB \(live 512MiB before, 512MiB now; config 512MiB before, 512MiB now\), .*; resolve it first: qmpctl recover web --finish, or --undo, or --forget\n$/,
      );
      expect([await rig.look(), await textOf(rig), await leftoversOf(rig)]).toEqual([half, before.text, [expect.stringMatching(/\.new$/)]]);
      expect(await cli(rig, "info", "web")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("a change was interrupted") as string,
      });
      for (const words of [["vcpuinfo", "web"], ["diff", "web"], ["config", "web"], ["list"]])
        expect((await cli(rig, ...words)).code).toBe(0);

      expect(await cli(rig, "recover", "web", "--undo", "--force")).toMatchObject({ code: 0, stderr: "" });
      expect([await rig.look(), await textOf(rig), await leftoversOf(rig)]).toEqual([before.look, before.text, []]);
      expect(await cli(rig, "recover", "web", "--undo")).toMatchObject({
        code: 3,
        stderr: expect.stringContaining("there is nothing to recover") as string,
      });

      await killedChange(rig);
      expect(await cli(rig, "recover", "web", "--finish", "--force")).toMatchObject({ code: 0, stderr: "" });
      expect(await rig.look()).toMatchObject({ memory: 400 * 2 ** 20, vcpus: rig.ends.wanted.vcpus });
      expect(await cli(rig, "apply", "web", wanted, "--static", "--dynamic", "--json")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('"outcome":"unchanged"') as string,
      });
    });

    test("can be recovered by one that dies at it, too", async () => {
      await using rig = await openReal(qemu);
      const before = { text: await textOf(rig), look: await rig.look() };
      await killedChange(rig);
      let command: Command | undefined;
      at(rig, "balloon", () => (command?.kill("SIGKILL"), "break"));
      command = new Command(rig, ["recover", "web", "--finish"]);
      expect((await command.ended).code).toBeNull();
      rig.proxy.arm(undefined);
      // The next one dies when all is done and the record alone is left.
      const last = await new Command(rig, ["recover", "web", "--undo", "--force"], { disk: diskFault("closing", "kill") }).ended;
      expect(last.code).toBeNull();
      expect((await cli(rig, "setmem", "web", "500M", "--balloon")).code).toBe(3);
      expect((await cli(rig, "recover", "web", "--undo", "--force")).code).toBe(0);
      expect([await rig.look(), await textOf(rig)]).toEqual([before.look, before.text]);
    });

    test("and whose machine is gone since is resolved in its config alone", async () => {
      await using rig = await openReal(qemu);
      const before = await textOf(rig);
      await killedChange(rig);
      await rig.killQemu();
      expect(await cli(rig, "info", "web", "--json")).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/"state":"stopped".*a change was interrupted/) as string,
      });
      expect(await cli(rig, "recover", "web", "--undo")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("undone in the config only: the QEMU that it changed is gone") as string,
      });
      expect(await textOf(rig)).toBe(before);
      expect((await cli(rig, "setmem", "web", "500M", "--balloon")).code).toBe(0);
    });

    test("can be forgotten: nothing is touched, and changes are taken again", async () => {
      await using rig = await openReal(qemu);
      const before = await textOf(rig);
      await killedChange(rig);
      const half = await rig.look();
      expect((await cli(rig, "recover", "web", "--forget")).code).toBe(0);
      expect([await rig.look(), await textOf(rig)]).toEqual([half, before]);
      expect((await cli(rig, "setmem", "web", "500M", "--balloon", "--static", "--force")).code).toBe(0);
    });
  },
);

// The whole matrix: npm run faults.
const FEW: readonly (readonly [fault: string, step: string])[] = [
  ["our process killed", "commit"],
  ["our process killed", "committed"],
  ["our process killed, undoing", "undo"],
  ["QEMU stopped and continued", "balloon"],
  ["socket reset", "ballooned"],
  ["reply never", "ballooned"],
  ["SIGTERM", "wait"],
  ["config damaged", "balloon"],
  ["no space (ENOSPC)", "commit"],
];

/** Software emulation before QEMU 10 can hang of vCPUs that come and go: npm run faults notices, and takes another machine. */
const FEW_REAL = ["third device_add refused", "vCPU gone before its pin", "unplug refused by the guest", "unplug pending"];

describe.each(found)("a QEMU $version that is stopped by a signal", (qemu) => {
  test("is told as such, with what lets it go on: by the change that it struck, by the next one, and by info", async () => {
    await using rig = await openReal(qemu);
    const before = await textOf(rig);
    at(rig, "balloon", () => (process.kill(rig.pid, "SIGSTOP"), undefined));
    const words = ["setmem", "web", "400M", "--balloon", "--static", "--dynamic", "--force", "--timeout", "500ms", "--undo-timeout", "1s"];
    const { code, report } = await new Command(rig, [...words, "--json"]).ended;
    const why = `QEMU (process ${rig.pid}) is stopped by a signal and answers nothing; kill -CONT ${rig.pid} lets it go on`;
    expect([code, report?.notes, await textOf(rig)]).toEqual([4, [why], before]);
    rig.proxy.arm(undefined);
    expect(await cli(rig, ...words)).toMatchObject({ code: 3, stderr: expect.stringContaining(why) as string });
    expect((await cli(rig, "info", "web", "--json")).stdout).toContain(why);
    process.kill(rig.pid, "SIGCONT");
    expect((await cli(rig, "setmem", "web", "512M", "--balloon", "--static", "--dynamic")).code).toBe(0);
  });
});

describe.each(found.filter(replugs))("a fault of the guest's and of others on QEMU $version", (qemu) => {
  test.each(FEW_REAL)("(%s) ends as promised", async (name) => {
    const fault = REAL_FAULTS.find((it) => it.name === name);
    await using rig = await openReal(qemu, fault?.kind);
    expect(fault === undefined ? null : await tryFault(rig, fault, fault.steps[0] ?? "", "undo")).toEqual({
      machine: rig.name,
      fault: name,
      step: fault?.steps[0],
      result: "held",
    });
  });
});

describe.each(found)("a fault on QEMU $version", (qemu) => {
  test("P10: ends as promised, whatever the step", async () => {
    await using rig = await openReal(qemu);
    for (const [name, step] of FEW) {
      const fault = FAULTS.find((it) => it.name === name && it.steps.includes(step));
      if (fault === undefined) throw new Error(`no such fault: ${name} at ${step}`);
      expect(await tryFault(rig, fault, step, "undo")).toMatchObject({ fault: name, step, result: "held" });
    }
  });

  test("does not hurt, when it is our process that is killed at random moments", async () => {
    const outcomes = await randomKills(4, 20_26, () => openReal(qemu));
    expect(outcomes.filter(({ result }) => result === "broken")).toEqual([]);
  });

  test("random sequences of changes, with mishaps, end as the model has it", async () => {
    const replugs = qemu.major >= 10;
    expect(
      await runSequences(3, 20_26, () => openReal(qemu), { reopen: 3, length: 6, choices: replugs ? REAL_CHOICES : OLD_CHOICES, lanes: 1 }),
    ).toBe(true);
  });
});
