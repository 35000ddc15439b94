import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { expect, onTestFinished, test, vi } from "vitest";
import { unitOf } from "../../src/host/cgroup-unit.ts";

/** Lets systemctl say this of every unit. */
async function saying(text: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  await writeFile(join(folder, "systemctl"), `#!/bin/sh\ncat <<'.'\n${text}.\n`);
  await chmod(join(folder, "systemctl"), 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });
}

const path = "/system.slice/night.service";

test.each([
  ["oneshot", "no", "control-group", 1, true],
  ["oneshot", "no", "mixed", 1, true],
  ["oneshot", "yes", "control-group", 1, false],
  ["oneshot", "no", "process", 1, false],
  ["simple", "no", "control-group", pid, true],
  // cron, and a script that goes on after us.
  ["simple", "no", "control-group", 1, false],
  // Its main process is what we leave behind.
  ["forking", "no", "control-group", pid, false],
])(
  "a unit of Type=%s, RemainAfterExit=%s, KillMode=%s whose main process is %i ends with us: %s",
  async (type, remains, mode, main, ends) => {
    await saying(`ControlGroup=${path}\nType=${type}\nRemainAfterExit=${remains}\nKillMode=${mode}\nMainPID=${main}\n`);
    expect(await unitOf({ path })).toEqual({
      name: "night.service",
      user: null,
      isOneshot: type === "oneshot",
      endsWithUs: ends,
      delegates: false,
    });
  },
);

test("a group that systemd has under another path is no unit's", async () => {
  await saying("ControlGroup=/elsewhere\nType=oneshot\nRemainAfterExit=no\nKillMode=control-group\nMainPID=0\n");
  expect(await unitOf({ path })).toBeNull();
});
