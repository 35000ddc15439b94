import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasRuntime, hasSocket, listRuntime, openRuntime, readPid, runtimePaths, type RuntimePaths } from "../../src/config/runtime.ts";
import { UnsafeError, UsageError } from "../../src/errors.ts";
import { ownFolders } from "./folder.ts";

async function opened(): Promise<RuntimePaths> {
  const paths = runtimePaths(await ownFolders(), "web1");
  await openRuntime(paths);
  return paths;
}

describe("a run-time folder", () => {
  test("is made for us alone, and opened again", async () => {
    const paths = await opened();
    await openRuntime(paths);
    expect((await stat(paths.folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(paths.folder, ".."))).mode & 0o777).toBe(0o700);
    expect(await hasRuntime(paths)).toBe(true);
  });

  test("that is not there is no error to look for", async () => {
    const folders = await ownFolders();
    expect(await hasRuntime(runtimePaths(folders, "web1"))).toBe(false);
    expect(await listRuntime(folders)).toEqual([]);
  });

  test("is refused where others can enter it", async () => {
    const paths = await opened();
    await chmod(paths.folder, 0o755);
    await expect(openRuntime(paths)).rejects.toThrow(`${paths.folder}: open to others (mode 755), chmod 700 it`);
    await expect(hasRuntime(paths)).rejects.toThrow(UnsafeError);
  });

  test("is refused where others can write the one that it is in", async () => {
    const paths = await opened();
    await chmod(join(paths.folder, ".."), 0o777);
    await expect(openRuntime(paths)).rejects.toThrow("open to others (mode 777)");
  });

  test("is refused where it is a link or a file", async () => {
    const folders = await ownFolders();
    await mkdir(folders.runtime, { mode: 0o700 });
    await symlink("/etc", join(folders.runtime, "web1"));
    await writeFile(join(folders.runtime, "web2"), "");
    await expect(openRuntime(runtimePaths(folders, "web1"))).rejects.toThrow("web1: a symbolic link");
    await expect(openRuntime(runtimePaths(folders, "web2"))).rejects.toThrow("web2: not a folder");
    expect(await listRuntime(folders)).toEqual([]);
  });

  test.runIf(userInfo().uid === 0)("is refused where somebody else made it", async () => {
    const paths = await opened();
    await chown(paths.folder, 1234, 0);
    await expect(openRuntime(paths)).rejects.toThrow("belongs to user 1234, not to the one who runs this (0)");
  });

  test("whose sockets' paths would be too long is refused with their length", async () => {
    const long = `/${"x".repeat(100 - 1)}`;
    const just = { config: "/", runtime: long.slice(0, 107 - "/web1/control.sock".length) };
    expect(runtimePaths(just, "web1").control).toHaveLength(107);
    expect(() => runtimePaths(just, "web10")).toThrow(UsageError);
    expect(() => runtimePaths(just, "web10")).toThrow("108 bytes are too long for a socket, which can have 107");
  });

  test("is listed by its key", async () => {
    const folders = await ownFolders();
    for (const key of ["web2", "web1"]) await openRuntime(runtimePaths(folders, key));
    expect(await listRuntime(folders)).toEqual(["web1", "web2"]);
  });
});

describe("readPid", () => {
  test("reads what QEMU writes", async () => {
    const paths = await opened();
    expect(await readPid(paths)).toBeUndefined();
    await writeFile(paths.pidfile, "");
    expect(await readPid(paths)).toBeUndefined();
    await writeFile(paths.pidfile, "4711\n");
    expect(await readPid(paths)).toBe(4711);
  });

  test.each(["-1", "0", "1 2", "99999999999", "x"])("refuses %j", async (text) => {
    const paths = await opened();
    await writeFile(paths.pidfile, text);
    await expect(readPid(paths)).rejects.toThrow(`${paths.pidfile}: ${JSON.stringify(text)} is no process id`);
  });

  test.each([
    ["a link", (path: string) => symlink("/etc/hostname", path)],
    ["a FIFO", (path: string) => execFileSync("mkfifo", [path])],
    ["a folder", (path: string) => mkdir(path)],
  ])("refuses %s without waiting", async (_what, make) => {
    const paths = await opened();
    await make(paths.pidfile);
    await expect(readPid(paths)).rejects.toThrow(UnsafeError);
  });
});

describe("hasSocket", () => {
  test("knows a socket of ours from none and from something else", async () => {
    const paths = await opened();
    expect(await hasSocket(paths.control)).toBe(false);
    const server = createServer().listen(paths.control);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    expect(await hasSocket(paths.control)).toBe(true);
    await writeFile(paths.watch, "");
    await expect(hasSocket(paths.watch)).rejects.toThrow("not a socket");
    if (userInfo().uid !== 0) return;
    await chown(paths.control, 1234, 0);
    await expect(hasSocket(paths.control)).rejects.toThrow("belongs to user 1234");
  });
});
