import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Timers, timersIn } from "../../scripts/lab/timers.ts";
import { disarm, isPlainWord, nameOfTimer, type TimerKind, timersHere } from "../../src/host/timers.ts";
import { ownFolder } from "../config/folder.ts";

const DUE = Date.parse("2026-11-27T06:00:00Z");
const ARMING = { key: "0123456789ab-1", due: DUE, words: ["/usr/bin/node", "/opt/my qmpctl/main.js"], env: { QMPCTL_STATE_DIR: "/run/q" } };

async function tools(): Promise<Timers> {
  const timers = await timersIn(await ownFolder());
  vi.stubEnv("PATH", `${timers.folder}:${process.env["PATH"]}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return timers;
}

/** A process with the name of at's daemon. */
async function runAtd(): Promise<void> {
  const path = join(await ownFolder(), "atd");
  await copyFile(execFileSync("sh", ["-c", "command -v sleep"], { encoding: "utf8" }).trim(), path);
  const child = spawn(path, ["1000"], { stdio: "ignore" });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await once(child, "spawn");
}

async function kindNamed(name: string): Promise<TimerKind> {
  const { kinds, why } = await timersHere();
  const found = kinds.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${name}: ${why.join("; ")}`);
  return found;
}

test("systemd gets a timer by the wall clock in UTC, with the command as words, and takes it away again", async () => {
  const timers = await tools();
  const timer = await (await kindNamed("systemd")).arm(ARMING);
  expect(await timers.armed()).toEqual(["qmpctl-end-0123456789ab-1.timer"]);
  const told = await timers.told("qmpctl-end-0123456789ab-1.timer");
  expect(told).toContain("--on-calendar=2026-11-27 06:00:00 UTC");
  expect(told).toContain("--setenv=QMPCTL_STATE_DIR=/run/q");
  expect(told.slice(told.indexOf("--"))).toEqual(["--", "/usr/bin/node", "/opt/my qmpctl/main.js"]);
  expect(nameOfTimer(timer)).toMatch(/^systemd (--user )?timer qmpctl-end-0123456789ab-1\.timer$/);
  await disarm(timer);
  expect(await timers.armed()).toEqual([]);
  // One that has fired is gone already.
  await disarm(timer);
});

test("a timer that systemd took and that waits for nothing, as its moment is over, is none", async () => {
  const timers = await tools();
  const { arm } = await kindNamed("systemd");
  await writeFile(join(timers.folder, "systemctl"), "#!/bin/sh\necho NextElapseUSecRealtime=; echo LastTriggerUSec=n/a\n");
  await chmod(join(timers.folder, "systemctl"), 0o755);
  await expect(arm(ARMING)).rejects.toThrow(/waits for nothing.*may be over/);
});

test("at gets a script of which each word is quoted, in UTC and with nothing of our environment, and takes the job away again", async () => {
  const timers = await tools();
  await runAtd();
  vi.stubEnv("SECRET", "$(touch /tmp/x)");
  const timer = await (await kindNamed("at")).arm({ ...ARMING, words: ["/bin/echo", "it's", "$HOME `id`"] });
  const [job = ""] = await timers.armed();
  expect(timer).toEqual({ tool: "at", job, key: ARMING.key });
  const told = await timers.told(job);
  expect(told).toContain("# -t 202611270600 in /");
  expect(told.slice(-3)).toEqual([
    "# qmpctl-end-0123456789ab-1",
    "export QMPCTL_STATE_DIR='/run/q'",
    "exec '/bin/echo' 'it'\\''s' '$HOME `id`'",
  ]);
  expect(told.join("\n")).not.toContain("SECRET");
  expect((await timers.fire(job)).stdout).toBe("it's $HOME `id`\n");
  const next = await (await kindNamed("at")).arm(ARMING);
  await disarm(next);
  expect(await timers.armed()).toEqual([]);
});

test("a job of at that is another's by now stays: its number may be used again", async () => {
  const timers = await tools();
  await runAtd();
  await (await kindNamed("at")).arm(ARMING);
  const [job = ""] = await timers.armed();
  await disarm({ tool: "at", job, key: "ffffffffffff-1" });
  expect(await timers.armed()).toEqual([job]);
});

test("what does not work here is no kind, and it is said why", async () => {
  const timers = await tools();
  await timers.break("systemd");
  await timers.break("at");
  const { kinds, why } = await timersHere();
  expect(kinds).toEqual([]);
  expect(why[0]).toMatch(/systemd does not answer \(systemctl.*System has not been booted with systemd/);
  expect(why[1]).toMatch(/no atd runs|You do not have permission to use at/);
});

test.each([
  ["/opt/qmpctl/dist/cli/main.js", true],
  ["/home/jürgen/my machines/web1.json", true],
  ["unix:/run/x.sock", true],
  ["/a$b", false],
  ["/a%b", false],
  ["/a'b", false],
  ['/a"b', false],
  ["/a\\b", false],
  ["/a\nb", false],
  ["/a;b", false],
  ["", false],
])("a timer's command can have %j in it: %s", (word, can) => {
  expect(isPlainWord(word)).toBe(can);
});
