import { describe, expect, test } from "vitest";
import { foldersOf } from "../../src/config/folders.ts";

describe("foldersOf", () => {
  test("takes the folders that are named", () => {
    expect(foldersOf({ QMPCTL_CONFIG_DIR: "/a/b/", QMPCTL_RUNTIME_DIR: "/c/../d" })).toEqual({ config: "/a/b", runtime: "/d" });
  });

  test("makes a relative one absolute, as the machine outlives our working folder", () => {
    expect(foldersOf({ QMPCTL_CONFIG_DIR: "x", QMPCTL_RUNTIME_DIR: "y" })).toEqual({ config: `${process.cwd()}/x`, runtime: `${process.cwd()}/y` });
  });

  test("root has the system's, whatever XDG says", () => {
    expect(foldersOf({ XDG_CONFIG_HOME: "/x", XDG_RUNTIME_DIR: "/y", QMPCTL_CONFIG_DIR: "" }, ROOT)).toEqual({ config: "/etc/qmpctl", runtime: "/run/qmpctl" });
  });

  test("others have the XDG ones, and what XDG says where there are none", () => {
    expect(foldersOf({ XDG_CONFIG_HOME: "/x", XDG_RUNTIME_DIR: "/y" }, ANNA)).toEqual({ config: "/x/qmpctl", runtime: "/y/qmpctl" });
    expect(foldersOf({ HOME: "/home/a", XDG_CONFIG_HOME: "relative", XDG_RUNTIME_DIR: "relative" }, ANNA)).toEqual({ config: "/home/a/.config/qmpctl", runtime: "/tmp/qmpctl-4242" });
    expect(foldersOf({}, ANNA).config).toBe("/home/anna/.config/qmpctl");
  });
});

const ROOT = { uid: 0, homedir: "/root" };
const ANNA = { uid: 4242, homedir: "/home/anna" };
