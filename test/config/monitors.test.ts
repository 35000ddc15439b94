import { describe, expect, test } from "vitest";
import { listeningMonitors } from "../../src/config/monitors.ts";
import { splitOptions } from "../../src/config/options.ts";

/** Where the QMP monitors of a command line listen, as `unix:PATH` and `tcp:HOST:PORT`. */
function listening(...words: readonly string[]): readonly string[] {
  return listeningMonitors(splitOptions(words)).map((each) =>
    each.kind === "unix" ? `unix:${each.path}` : `tcp:${each.host}:${each.port}`,
  );
}

describe("the monitors of a command line", () => {
  test.each([
    ["unix:/run/a.sock,server=on,wait=off", ["unix:/run/a.sock"]],
    ["unix:/run/a.sock,server,nowait", ["unix:/run/a.sock"]],
    ["unix:run/a.sock,server=yes", ["unix:run/a.sock"]],
    ["unix:/run/a,,b.sock,wait=off,server=on", ["unix:/run/a,b.sock"]],
    ["tcp:127.0.0.1:4444,server,nowait", ["tcp:127.0.0.1:4444"]],
    ["tcp::4444,server=on", ["tcp::4444"]],
    ["telnet:localhost:23,server=on", ["tcp:localhost:23"]],
    // Those that call somebody, or are no sockets, are no places to reach QEMU at.
    ["unix:/run/a.sock", []],
    ["unix:/run/a.sock,server=off", []],
    ["unix:/run/a.sock,noserver", []],
    ["tcp:127.0.0.1:4444", []],
    ["tcp:127.0.0.1:0,server=on", []],
    ["stdio", []],
    ["pty", []],
    ["", []],
  ])("-qmp %s: %j", (value, expected) => {
    expect(listening("-qmp", value)).toEqual(expected);
    expect(listening("--qmp-pretty", value)).toEqual(expected);
  });

  test("are named by their character devices too", () => {
    expect(listening("-chardev", "socket,id=c0,path=/run/a.sock,server=on,wait=off", "-mon", "chardev=c0,mode=control")).toEqual([
      "unix:/run/a.sock",
    ]);
    expect(listening("-mon", "c0,mode=control,pretty=on", "-chardev", "socket,id=c0,host=::1,port=4444,server=on")).toEqual([
      "tcp:::1:4444",
    ]);
    expect(listening("-chardev", "socket,id=c0,port=4444,server=on", "-qmp", "chardev:c0")).toEqual(["tcp::4444"]);
    expect(listening("-chardev", "socket,id=c0,path=/run/a,,b.sock,server=on", "-qmp", "chardev:c0")).toEqual(["unix:/run/a,b.sock"]);
  });

  test("are none of those for people, nor the guest's devices", () => {
    const socket = ["-chardev", "socket,id=c0,path=/run/a.sock,server=on"];
    for (const words of [
      ["-mon", "chardev=c0"],
      ["-mon", "chardev=c0,mode=readline"],
      ["-monitor", "chardev:c0"],
      ["-device", "virtserialport,chardev=c0"],
      ["-mon", "chardev=c1,mode=control"],
      ["-qmp", "chardev:c1"],
    ])
      expect(listening(...socket, ...words)).toEqual([]);
    expect(listening("-monitor", "unix:/run/hmp.sock,server=on", "-serial", "unix:/run/s.sock,server=on")).toEqual([]);
  });

  test("come in the order of the command line, each as often as it is there", () => {
    expect(
      listening(
        "-qmp",
        "unix:/b,server=on",
        "-S",
        "-qmp",
        "tcp:h:1,server=on",
        "-append",
        "-qmp",
        "unix:/a,server=on",
        "-qmp",
        "unix:/a,server=on",
      ),
    ).toEqual(["unix:/b", "tcp:h:1", "unix:/a"]);
  });
});
