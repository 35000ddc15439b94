import { describe, expect, test } from "vitest";
import { toCommandLine } from "../../src/config/argv.ts";
import { fromCommandLine } from "../../src/config/command-line.ts";
import type { LaunchConfig } from "../../src/config/launch.ts";
import { parseLaunchConfig } from "../../src/config/launch.ts";

const FILES = { control: "/run/q/web1/control.sock", watch: "/run/q/web1/watch.sock", pidfile: "/run/q/web1/pid" };
const MARK = { id: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b", path: "/etc/qmpctl/web1.json" };
const MIB = 1024 ** 2;

function config(changes: Partial<LaunchConfig> = {}): LaunchConfig {
  return {
    name: "web1",
    emulator: "qemu-system-x86_64",
    memory: { max: 2048 * MIB, current: 1024 * MIB },
    vcpus: { max: 4, current: 2, pin: {} },
    args: ["-machine", "q35"],
    ...changes,
  };
}

describe("toCommandLine", () => {
  test("names the machine, sizes it for its maximum, opens its monitors, and ends with the config's own words", () => {
    expect(toCommandLine(config(), FILES, MARK)).toEqual([
      "qemu-system-x86_64",
      ...["-name", "guest=web1,debug-threads=on"],
      ...["-m", "size=2048M"],
      ...["-smp", "cpus=2,maxcpus=4"],
      ...["-qmp", "unix:/run/q/web1/control.sock,server=on,wait=off"],
      ...["-qmp", "unix:/run/q/web1/watch.sock,server=on,wait=off"],
      ...["-pidfile", "/run/q/web1/pid"],
      ...["-object", "authz-simple,id=qmpctl-0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b,identity=/etc/qmpctl/web1.json"],
      ...["-trace", "qemu_system_shutdown_request"],
      ...["-display", "none"],
      "-S",
      ...["-machine", "q35"],
    ]);
  });

  test.each([
    [{ slots: 4, limit: 8192 * MIB }, "size=2048M,slots=4,maxmem=8192M"],
    [{ slots: 0, limit: 8192 * MIB }, "size=2048M,maxmem=8192M"],
  ])("leaves room for memory that is plugged later: %j", (hotplug, value) => {
    expect(toCommandLine(config({ memory: { max: 2048 * MIB, current: MIB, hotplug } }), FILES, MARK)).toContain(value);
  });

  test.each([
    [{ sockets: 2, cores: 2 }, "cpus=2,maxcpus=4,sockets=2,cores=2"],
    [{ threads: 2 }, "cpus=2,maxcpus=4,threads=2"],
    [{ threads: 1, cores: 1, dies: 1, sockets: 4 }, "cpus=2,maxcpus=4,sockets=4,dies=1,cores=1,threads=1"],
    [{ drawers: 1, books: 1, clusters: 2, modules: 1 }, "cpus=2,maxcpus=4,drawers=1,books=1,clusters=2,modules=1"],
  ])("writes as much of a topology as is given, from the outside in: %j", (topology, value) => {
    expect(toCommandLine(config({ vcpus: { max: 4, current: 2, pin: {}, topology } }), FILES, MARK)).toContain(value);
  });

  test("opens the config's own monitor besides, and doubles commas in paths", () => {
    const line = toCommandLine(
      config({ monitor: "/srv/a,b.sock" }),
      { ...FILES, control: "/run/q,q/c.sock" },
      { ...MARK, path: "/etc/a,b/web1.json" },
    );
    expect(line).toContain("unix:/srv/a,,b.sock,server=on,wait=off");
    expect(line).toContain("unix:/run/q,,q/c.sock,server=on,wait=off");
    expect(line).toContain(`authz-simple,id=qmpctl-${MARK.id},identity=/etc/a,,b/web1.json`);
  });

  test("gives by -smp what args do not plug themselves", () => {
    const args = ["-device", "max-x86_64-cpu,id=c1,socket-id=0,core-id=3,thread-id=0"];
    expect(toCommandLine(config({ args, vcpus: { max: 4, current: 3, pin: {} } }), FILES, MARK)).toContain("cpus=2,maxcpus=4");
  });

  test("counts in KiB where memory is no whole MiB", () => {
    expect(
      toCommandLine(
        config({ memory: { max: 3_000_000 * 1024, current: 4096, hotplug: { slots: 1, limit: 3_000_004 * 1024 } } }),
        FILES,
        MARK,
      ),
    ).toContain("size=3000000K,slots=1,maxmem=3000004K");
  });

  test.each([["-display", "gtk"], ["--vnc", ":1"], ["-spice", "port=1"], ["-nographic"]])(
    "leaves the screen to the config where it has %s",
    (...args) => {
      expect(toCommandLine(config({ args }), FILES, MARK)).not.toContain("none");
    },
  );

  test("leaves tracing to the config where it has a log or a trace, but not where those are another option's argument", () => {
    for (const args of [
      ["-D", "/var/log/q"],
      ["-trace", "enable=x"],
      ["--trace", "y"],
    ])
      expect(toCommandLine(config({ args }), FILES, MARK)).not.toContain("qemu_system_shutdown_request");
    for (const args of [
      ["-append", "-D"],
      ["-append", "-trace"],
    ])
      expect(toCommandLine(config({ args }), FILES, MARK)).toContain("qemu_system_shutdown_request");
  });

  test("never has QEMU put itself in the background: its words and its end would be lost", () => {
    expect(toCommandLine(config(), FILES, MARK)).not.toContain("-daemonize");
  });
});

describe("there and back", () => {
  test("a started machine's command line defines the same machine again", () => {
    const first = config({
      memory: { max: 2048 * MIB, current: 2048 * MIB, hotplug: { slots: 2, limit: 4096 * MIB } },
      vcpus: { max: 4, current: 2, pin: {}, topology: { sockets: 2, cores: 2 } },
    });
    const again = fromCommandLine(toCommandLine(first, FILES, MARK));
    expect(again.config).toEqual({ ...first, args: ["-display", "none", ...first.args] });
    expect(parseLaunchConfig(again.text, "web1.json")).toEqual(again.config);
    for (const word of ["-display", "-trace", "-object", "-pidfile"])
      expect(toCommandLine(again.config, FILES, MARK).filter((each) => each === word)).toHaveLength(1);
  });
});
