import { describe, expect, test } from "vitest";
import { parseLaunchConfig } from "../../src/config/launch.ts";
import { idOfObject, isMachineId, MARK_PREFIX, markOf, markWords } from "../../src/config/mark.ts";
import { splitOptions } from "../../src/config/options.ts";
import { configText } from "./fixtures.ts";

const ID = "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b";

describe("the id of a machine", () => {
  test.each([
    [ID, true],
    [ID.toUpperCase(), false],
    [ID.slice(1), false],
    [`${ID}0`, false],
    [` ${ID}`, false],
    [`${ID}\n`, false],
    [ID.replaceAll("-", ""), false],
    ["../../../etc/passwd", false],
    ["", false],
  ])("%j: %s", (text, expected) => {
    expect(isMachineId(text)).toBe(expected);
  });
});

describe("the mark of a machine", () => {
  test("is an object on QEMU's command line, found there again", () => {
    expect(markWords({ id: ID, path: "/etc/qmpctl/web1.json" })).toEqual([
      "-object",
      `authz-simple,id=qmpctl-${ID},identity=/etc/qmpctl/web1.json`,
    ]);
    expect(markOf(splitOptions(["-m", "1G", ...markWords({ id: ID, path: "/etc/qmpctl/web1.json" }), "-S"]))).toEqual({
      id: ID,
      path: "/etc/qmpctl/web1.json",
    });
  });

  test("keeps a path with commas, equals signs and blanks in it", () => {
    for (const path of ["/a,b/c.json", "/a,,b.json", "/x=y,id=z.json", "/with blank.json", "/ends,"])
      expect(markOf(splitOptions(markWords({ id: ID, path })))).toEqual({ id: ID, path });
  });

  test("is found in whatever order and spelling QEMU takes it", () => {
    for (const words of [
      ["--object", `authz-simple,identity=/x,id=qmpctl-${ID}`],
      ["-object", `qom-type=authz-simple,id=qmpctl-${ID},identity=/x`],
    ])
      expect(markOf(splitOptions(words))).toEqual({ id: ID, path: "/x" });
    // An older start, or a person, may have left the path out.
    expect(markOf(splitOptions(["-object", `authz-simple,id=qmpctl-${ID}`]))).toEqual({ id: ID, path: "" });
  });

  test.each([
    ["another kind of object", ["-object", `secret,id=qmpctl-${ID},data=x`]],
    ["another object of that kind", ["-object", "authz-simple,id=mine,identity=/x"]],
    ["an id that is none", ["-object", "authz-simple,id=qmpctl-web1,identity=/x"]],
    ["one in upper case", ["-object", `authz-simple,id=qmpctl-${ID.toUpperCase()},identity=/x`]],
    ["another option", ["-chardev", `null,id=qmpctl-${ID}`]],
    ["an argument of another option", ["-append", "-object", `authz-simple,id=qmpctl-${ID}`]],
    ["no argument at all", ["-object"]],
    ["nothing", []],
  ])("is not %s", (_what, words) => {
    expect(markOf(splitOptions(words))).toBeUndefined();
  });

  test("is known by its object's name over QMP", () => {
    expect(idOfObject(`${MARK_PREFIX}${ID}`)).toBe(ID);
    for (const name of [undefined, "", "pc.ram", ID, MARK_PREFIX, `${MARK_PREFIX}web1`, `x${MARK_PREFIX}${ID}`])
      expect(idOfObject(name)).toBeUndefined();
  });

  test("can't stand in a config's args: another machine would carry it", () => {
    const args = markWords({ id: ID, path: "/x" });
    expect(() => parseLaunchConfig(configText({ args }), "web1.json")).toThrow('expected the key "id" instead');
    expect(parseLaunchConfig(configText({ args: ["-object", "authz-simple,id=mine,identity=/x"] }), "web1.json").args).toHaveLength(2);
  });
});
