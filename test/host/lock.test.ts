import { execFile, execFileSync } from "node:child_process";
import { chown, mkdtemp, readFile, rm, stat, symlink, truncate } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { HostError } from "../../src/errors.ts";
import { acquireLock, LockedError } from "../../src/host/lock.ts";
import { type OwnProcess, runModule, runProgram } from "./processes.ts";

async function ownPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "lock");
}

/** Another process that holds the lock until it is killed. */
function holderOf(path: string, does: string, ...under: readonly string[]): Promise<OwnProcess> {
  return runModule(
    `import { acquireLock } from "../../src/host/lock.ts";
    globalThis.lock = await acquireLock(${JSON.stringify(path)}, { holder: ${JSON.stringify(does)} });
    console.log("held"); process.stdin.resume();`,
    ...under,
  );
}

async function locked(path: string, timeout = 0): Promise<LockedError> {
  const error = await acquireLock(path, { timeout }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LockedError);
  return error as LockedError;
}

describe("a lock", () => {
  test("keeps others out, also of the same process, until it is released", async () => {
    const path = await ownPath();
    const lock = await acquireLock(path);
    await locked(path);
    await lock.release();
    await lock.release();
    await using again = await acquireLock(path, { timeout: 0 });
    expect(again.path).toBe(path);
    await locked(path);
  });

  test("is released at the end of its scope", async () => {
    const path = await ownPath();
    {
      await using _lock = await acquireLock(path);
      await locked(path);
    }
    await (await acquireLock(path, { timeout: 0 })).release();
  });

  test("is in a file that only we can read", async () => {
    const path = await ownPath();
    await using _lock = await acquireLock(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("that another process holds: the error says which, what for and since when", async () => {
    const path = await ownPath();
    const started = Date.now();
    const other = await holderOf(path, "setmem web1 300M");
    const { code, holder, message } = await locked(path, 50);
    expect([code, holder.pid, holder.command]).toEqual(["locked", other.pid, "setmem web1 300M"]);
    expect(Date.parse(holder.since ?? "")).toBeGreaterThanOrEqual(started);
    expect(message).toBe(`${path}: locked by process ${other.pid} (setmem web1 300M) since ${holder.since}, waited 50 ms`);
  });

  test("is free when its holder is killed, and then goes to the one who waits", async () => {
    const path = await ownPath();
    const other = await holderOf(path, "x");
    const waiting = acquireLock(path, { timeout: 60_000 });
    await other.kill();
    await using lock = await waiting;
    expect(JSON.parse(await readFile(lock.path, "utf8"))).toMatchObject({ pid: process.pid });
  });

  test("keeps a shell's flock out, and is kept out by one, which it names", async () => {
    const path = await ownPath();
    const lock = await acquireLock(path);
    const shell = (): Promise<unknown> => promisify(execFile)("flock", ["-n", path, "true"]);
    await expect(shell()).rejects.toMatchObject({ code: 1 });
    await lock.release();
    await shell();
    const other = await runProgram("flock", path, "sh", "-c", "echo held; exec cat");
    const { holder } = await locked(path);
    expect(holder).toMatchObject({ pid: other.pid, since: undefined });
    expect(holder.command).toMatch(/^flock /);
  });

  test("that was taken and has no note yet is reported with its holder's command line", async () => {
    const path = await ownPath();
    const other = await holderOf(path, "x");
    await truncate(path);
    const { holder, message } = await locked(path);
    expect([holder.pid, holder.since]).toEqual([other.pid, undefined]);
    expect(message).toMatch(/locked by process \d+ \(.{100}…\)$/);
    expect(holder.command).toContain("acquireLock");
  });

  test("is held even if nothing can be written any more, and is reported with its holder's command line", async () => {
    const path = await ownPath();
    const other = await holderOf(path, "x", "prlimit", "--fsize=0", "--");
    const { holder } = await locked(path);
    expect([holder.pid, holder.since]).toEqual([other.pid, undefined]);
  });

  test("does not take the words of a dead holder for those of the living one", async () => {
    const path = await ownPath();
    const dead = await holderOf(path, "long ago");
    await dead.kill();
    expect(await readFile(path, "utf8")).toContain("long ago");
    const other = await runProgram("flock", path, "sh", "-c", "echo held; exec cat");
    expect((await locked(path)).holder.pid).toBe(other.pid);
  });

  test("that is given up: an abort rejects with its own reason, and leaves no flock behind", async () => {
    const path = await ownPath();
    await using _lock = await acquireLock(path);
    const controller = new AbortController();
    const waiting = acquireLock(path, { signal: controller.signal });
    const reason = new Error("interrupted");
    setImmediate(() => controller.abort(reason));
    await expect(waiting).rejects.toBe(reason);
    await expect(acquireLock(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(
      execFileSync("sh", ["-c", `ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c '${path}$' || true`])
        .toString()
        .trim(),
    ).toBe("1");
  });

  test("on a file that its last holder removed is taken on the new one", async () => {
    const path = await ownPath();
    const first = await acquireLock(path);
    const waiting = acquireLock(path, { timeout: 60_000 });
    await rm(path);
    await first.release();
    await using _lock = await waiting;
    await locked(path);
  });

  test("of ten that want it at once is with one at a time", async () => {
    const path = await ownPath();
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        await using _lock = await acquireLock(path, { timeout: 60_000 });
        most = Math.max(most, ++inside);
        await readFile(path);
        inside--;
      }),
    );
    expect(most).toBe(1);
  });

  test.each([
    ["a link", (path: string) => symlink("/etc/hostname", path), "it is a symbolic link"],
    ["a FIFO", (path: string) => Promise.resolve(execFileSync("mkfifo", [path])), "it is not a regular file"],
  ])("is refused on %s", async (_what, make, why) => {
    const path = await ownPath();
    await make(path);
    await expect(acquireLock(path)).rejects.toThrow(`${path}: ${why}`);
  });

  test.runIf(userInfo().uid === 0)("is refused on a file of somebody else", async () => {
    const path = await ownPath();
    await (await acquireLock(path)).release();
    await chown(path, 1234, 0);
    await expect(acquireLock(path)).rejects.toThrow(`${path}: it belongs to user 1234`);
  });

  test("in a folder that is not there is a host error", async () => {
    await expect(acquireLock(join(await ownPath(), "lock"))).rejects.toThrow(HostError);
  });
});
