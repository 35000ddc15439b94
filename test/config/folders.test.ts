import { chown, lchown, mkdir, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { foldersOf, type User } from "../../src/config/folders.ts";
import { ownFolder } from "./folder.ts";

const ROOT: User = { uid: 0, homedir: "/root", passwdHome: "/root" };
const ANNA: User = { uid: 4242, homedir: "/home/anna", passwdHome: undefined };

/** Everything of a login that must not decide where a machine's lock is. */
const LOGIN = { XDG_RUNTIME_DIR: "/y", XDG_STATE_HOME: "/z", HOME: "/h" };

describe("foldersOf", () => {
  test("takes the folders that are named", () => {
    expect(foldersOf({ QMPCTL_CONFIG_DIR: "/a/b/", QMPCTL_RUNTIME_DIR: "/c/../d", QMPCTL_STATE_DIR: "/e/./f" })).toEqual({
      config: "/a/b",
      runtime: "/d",
      state: "/e/f",
    });
  });

  test("makes a relative one absolute, as the machine outlives our working folder", () => {
    expect(foldersOf({ QMPCTL_CONFIG_DIR: "x", QMPCTL_RUNTIME_DIR: "y", QMPCTL_STATE_DIR: "z" })).toEqual({
      config: `${process.cwd()}/x`,
      runtime: `${process.cwd()}/y`,
      state: `${process.cwd()}/z`,
    });
  });

  test("root has the system's, whatever XDG says", () => {
    expect(foldersOf({ ...LOGIN, XDG_CONFIG_HOME: "/x", QMPCTL_CONFIG_DIR: "" }, ROOT)).toEqual({
      config: "/etc/qmpctl",
      runtime: "/run/qmpctl",
      state: "/run/qmpctl",
    });
  });

  test("others have their configs in the XDG place", () => {
    expect(foldersOf({ XDG_CONFIG_HOME: "/x" }, ANNA).config).toBe("/x/qmpctl");
    expect(foldersOf({ HOME: "/home/a", XDG_CONFIG_HOME: "relative" }, ANNA).config).toBe("/home/a/.config/qmpctl");
    expect(foldersOf({}, ANNA).config).toBe("/home/anna/.config/qmpctl");
  });

  test("sockets and locks are in the home that the system's list of users has, whatever the login says: every session comes to the same", async () => {
    const home = await ownFolder();
    const user: User = { uid: userInfo().uid || 4242, homedir: "/home/anna", passwdHome: home };
    if (userInfo().uid === 0) await chown(home, user.uid, 0);
    const folder = join(home, ".local", "state", "qmpctl");
    for (const env of [{}, LOGIN]) expect(foldersOf(env, user)).toMatchObject({ runtime: folder, state: folder });
  });

  test("one of them can be named without the other", () => {
    expect(foldersOf({ ...LOGIN, QMPCTL_RUNTIME_DIR: "/c" }, ANNA)).toMatchObject({ runtime: "/c", state: "/var/tmp/qmpctl-4242" });
    expect(foldersOf({ ...LOGIN, QMPCTL_STATE_DIR: "/e" }, ANNA)).toMatchObject({ runtime: "/var/tmp/qmpctl-4242", state: "/e" });
  });

  test("a user without a home, or with somebody else's, has a folder of their own that outlives logins", async () => {
    const folder = await ownFolder();
    await writeFile(join(folder, "file"), "");
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), join(folder, "link"));
    const uid = userInfo().uid || 4242;
    if (userInfo().uid === 0) await lchown(join(folder, "link"), uid, 0);
    for (const passwdHome of [undefined, "/nonexistent", "/proc", join(folder, "file"), join(folder, "link")]) {
      expect(foldersOf(LOGIN, { uid, homedir: "/", passwdHome }).state).toBe(`/var/tmp/qmpctl-${uid}`);
    }
  });
});
