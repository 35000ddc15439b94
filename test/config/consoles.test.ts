import { describe, expect, test } from "vitest";
import { defaultMonitor } from "../../src/config/default-monitor.ts";
import { splitOptions } from "../../src/config/options.ts";
import { mayUseStdio, needsTerminal, usesStdio } from "../../src/config/stdio.ts";

describe("stdio", () => {
  test.each([
    ["-serial", "stdio"],
    ["--serial", "mon:stdio"],
    ["-monitor", "stdio"],
    ["-parallel", "stdio"],
    ["-debugcon", "stdio"],
    ["-gdb", "stdio"],
    ["-nographic"],
    ["-chardev", "stdio,id=c"],
    ["-chardev", "id=c,backend=stdio"],
    ["-chardev", "backend=stdio,id=c,mux=on"],
    ["-chardev", '{"id":"c","backend":"stdio"}'],
    ["-chardev", '{"id":"c","backend":{"type":"stdio","data":{}}}'],
    ["-chardev", "{'backend':'stdio'}"],
  ])("is used by %s %s", (...args) => {
    expect([usesStdio(args), mayUseStdio(args)]).toEqual([true, true]);
  });

  test.each([
    ["-serial", "file:/tmp/stdio"],
    ["-append", "stdio"],
    ["-chardev", "file,id=stdio,path=stdio"],
    ["-chardev", "null,id=stdio"],
    ["-chardev", '{"id":"stdio","backend":"null"}'],
    ["-name", "stdio"],
    ["-drive", "file=stdio"],
    ["-append", "-nographic"],
  ])("is not used by %s %s", (...args) => {
    expect([usesStdio(args), mayUseStdio(args)]).toEqual([false, false]);
  });

  test("may be used by a file of -readconfig", () => {
    expect([usesStdio(["-readconfig", "x"]), mayUseStdio(["-readconfig", "x"])]).toEqual([false, true]);
  });
});

test.each([
  [["-curses"], true],
  [["-display", "curses"], true],
  [["-display", "curses,charset=CP437"], true],
  [["-display", "type=curses"], true],
  [["-display", "cursesless"], false],
  [["-display", "none"], false],
  [["-append", "-curses"], false],
])("%j needs a terminal: %j", (args, needs) => {
  expect(splitOptions(args).some(needsTerminal)).toBe(needs);
});

// What QEMU 5.2 to 11.1 opened by themselves, as query-chardev showed it.
test.each([
  [["-nographic"], ["-serial", "mon:stdio"]],
  [
    ["-nographic", "-serial", "null"],
    ["-monitor", "stdio"],
  ],
  [
    ["-nographic", "-device", "isa-serial,chardev=x"],
    ["-monitor", "stdio"],
  ],
  [
    ["-nographic", "-device", '{"driver":"isa-serial","chardev":"x"}'],
    ["-monitor", "stdio"],
  ],
  [
    ["-nographic", "-device", "virtio-serial"],
    ["-serial", "mon:stdio"],
  ],
  [
    ["-vnc", ":1"],
    ["-monitor", "vc:80Cx24C"],
  ],
  [
    ["-display", "gtk"],
    ["-monitor", "vc:80Cx24C"],
  ],
  ...[["-nodefaults"], ["-monitor", "none"], ["-qmp", "unix:/x"], ["-mon", "c"], ["-serial", "mon:stdio"], ["-parallel", "mon:null"]].map(
    (more) => [["-nographic", ...more], []] as const,
  ),
  [["-display", "none"], []],
  [["-vnc", "none"], []],
  [["-display", "egl-headless"], []],
  [["-machine", "q35"], []],
] as const)("%j has the monitor %j by itself", (args, monitor) => {
  expect(defaultMonitor(splitOptions(args)).flatMap(({ words }) => words)).toEqual(monitor);
});
