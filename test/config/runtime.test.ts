import { chmod, chown, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasFolder, openFolder, runtimePaths, type RuntimePaths, statePaths } from "../../src/config/runtime.ts";
import { UnsafeError, UsageError } from "../../src/errors.ts";
import { ownFolders } from "./folder.ts";

async function opened(): Promise<RuntimePaths> {
  const paths = runtimePaths(await ownFolders(), "web1");
  await openFolder(paths.folder);
  return paths;
}

describe("a run-time folder", () => {
  test("is made for us alone, and opened again", async () => {
    const paths = await opened();
    await openFolder(paths.folder);
    expect((await stat(paths.folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(paths.folder, ".."))).mode & 0o777).toBe(0o700);
    expect(await hasFolder(paths.folder)).toBe(true);
  });

  test("that is not there is no error to look for", async () => {
    const folders = await ownFolders();
    expect(await hasFolder(runtimePaths(folders, "web1").folder)).toBe(false);
  });

  test("is refused where others can enter it", async () => {
    const paths = await opened();
    await chmod(paths.folder, 0o755);
    await expect(openFolder(paths.folder)).rejects.toThrow(`${paths.folder}: open to others (mode 755), chmod 700 it`);
    await expect(hasFolder(paths.folder)).rejects.toThrow(UnsafeError);
  });

  test("is refused where others can write the one that it is in", async () => {
    const paths = await opened();
    await chmod(join(paths.folder, ".."), 0o777);
    await expect(openFolder(paths.folder)).rejects.toThrow("open to others (mode 777)");
  });

  test("is refused where it is a link or a file", async () => {
    const folders = await ownFolders();
    await mkdir(folders.runtime, { mode: 0o700 });
    await symlink("/etc", join(folders.runtime, "web1"));
    await writeFile(join(folders.runtime, "web2"), "");
    await expect(openFolder(runtimePaths(folders, "web1").folder)).rejects.toThrow("web1: a symbolic link");
    await expect(openFolder(runtimePaths(folders, "web2").folder)).rejects.toThrow("web2: not a folder");
  });

  test.runIf(userInfo().uid === 0)("is refused where somebody else made it", async () => {
    const paths = await opened();
    await chown(paths.folder, 1234, 0);
    await expect(openFolder(paths.folder)).rejects.toThrow("belongs to user 1234, not to the one who runs this (0)");
  });

  test("has its sockets, its pidfile and QEMU's words in it", () => {
    const paths = runtimePaths({ config: "/c", runtime: "/r", state: "/s" }, "web1");
    expect(paths).toEqual({
      key: "web1",
      folder: "/r/web1",
      control: "/r/web1/control.sock",
      watch: "/r/web1/watch.sock",
      pidfile: "/r/web1/pid",
      output: "/r/web1/output",
    });
  });
});

describe("a key that is too long for a socket's path", () => {
  /** A folder that leaves room for a key of so many bytes. */
  const withRoom = (room: number) => ({ config: "/", runtime: `/${"x".repeat(107 - room - "//control.sock".length - 1)}`, state: "/s" });

  test("is cut short, and told from every other by what it was", () => {
    expect(runtimePaths(withRoom(20), "a".repeat(20)).control).toHaveLength(107);
    const [one, other] = ["a".repeat(21), `${"a".repeat(20)}b`].map((key) => runtimePaths(withRoom(20), key));
    expect(one?.control).toHaveLength(107);
    expect(one?.folder).toMatch(/\/aaaaaaaaaaa@[0-9a-f]{8}$/);
    expect(other?.folder).not.toBe(one?.folder);
    // What it is asked for by stays whole.
    expect(one?.key).toBe("a".repeat(21));
    expect(runtimePaths(withRoom(20), "a".repeat(21))).toEqual(one);
  });

  test("is cut for a folder that is measured in bytes, as the kernel does", () => {
    const folders = { config: "/", runtime: `/${"é".repeat(40)}`, state: "/s" };
    const { control } = runtimePaths(folders, "a".repeat(30));
    expect([new TextEncoder().encode(control).length, control.length]).toEqual([107, 67]);
  });

  test("is refused with its length where even a short one does not fit", () => {
    expect(runtimePaths(withRoom(10), "a".repeat(200)).folder).toMatch(/\/a@[0-9a-f]{8}$/);
    expect(() => runtimePaths(withRoom(9), "a".repeat(200))).toThrow(UsageError);
    expect(() => runtimePaths(withRoom(9), "a".repeat(200))).toThrow("108 bytes are too long for a socket, which can have 107");
    expect(runtimePaths(withRoom(9), "a".repeat(9)).control).toHaveLength(107);
  });
});

describe("where a machine's lock and records are", () => {
  test("is named by who it is, and no domain's run-time folder is in the way", () => {
    const folders = { config: "/c", runtime: "/s", state: "/s" };
    const paths = statePaths(folders, "0d5e5d3e");
    expect(paths).toEqual({
      key: "0d5e5d3e",
      folder: "/s/@0d5e5d3e",
      lock: "/s/@0d5e5d3e/lock",
      history: "/s/@0d5e5d3e/history",
      ends: "/s/@0d5e5d3e/ends",
      endProgram: "/s/@0d5e5d3e/end.cjs",
      journal: "/s/@0d5e5d3e/journal",
      notes: "/s/@0d5e5d3e/notes",
      process: "/s/@0d5e5d3e/process",
    });
    expect(runtimePaths(folders, "0d5e5d3e").folder).not.toBe(paths.folder);
  });
});
