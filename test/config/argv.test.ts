import { describe, expect, test } from "vitest";
import { toCommandLine } from "../../src/config/argv.ts";
import { fromCommandLine } from "../../src/config/command-line.ts";
import type { LaunchConfig } from "../../src/config/launch.ts";
import { parseLaunchConfig } from "../../src/config/launch.ts";

const FILES = { control: "/run/q/web1/control.sock", watch: "/run/q/web1/watch.sock", pidfile: "/run/q/web1/pid" };
const MARK = { id: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b", path: "/etc/qmpctl/web1.json" };
const MIB = 1024 ** 2;

function config(changes: Partial<LaunchConfig> = {}): LaunchConfig {
  return { name: "web1", emulator: "qemu-system-x86_64", memory: { max: 2048 * MIB, current: 1024 * MIB }, vcpus: { max: 4, current: 2, pin: {} }, args: ["-machine", "q35"], ...changes };
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
    [{ sockets: 2, cores: 2 }, "cpus=2,maxcpus=4,sockets=2,cores=2,threads=1"],
    [{ dies: 2, threads: 2 }, "cpus=2,maxcpus=4,sockets=1,dies=2,cores=1,threads=2"],
    [{ dies: 1, cores: 4 }, "cpus=2,maxcpus=4,sockets=1,cores=4,threads=1"],
  ])("writes a topology whole, and dies only where there are several: %j", (topology, value) => {
    expect(toCommandLine(config({ vcpus: { max: 4, current: 2, pin: {}, topology } }), FILES, MARK)).toContain(value);
  });

  test("opens the config's own monitor besides, and doubles commas in paths", () => {
    const line = toCommandLine(config({ monitor: "/srv/a,b.sock" }), { ...FILES, control: "/run/q,q/c.sock" }, { ...MARK, path: "/etc/a,b/web1.json" });
    expect(line).toContain("unix:/srv/a,,b.sock,server=on,wait=off");
    expect(line).toContain("unix:/run/q,,q/c.sock,server=on,wait=off");
    expect(line).toContain(`authz-simple,id=qmpctl-${MARK.id},identity=/etc/a,,b/web1.json`);
  });

  test.each([["-display", "gtk"], ["--vnc", ":1"], ["-spice", "port=1"]])("leaves the screen to the config where it has %s", (...args) => {
    expect(toCommandLine(config({ args }), FILES, MARK)).not.toContain("none");
  });

  test("leaves tracing to the config where it has a log or a trace, but not where those are another option's argument", () => {
    for (const args of [["-D", "/var/log/q"], ["-trace", "enable=x"], ["--trace", "y"]]) expect(toCommandLine(config({ args }), FILES, MARK)).not.toContain("qemu_system_shutdown_request");
    for (const args of [["-append", "-D"], ["-append", "-trace"]]) expect(toCommandLine(config({ args }), FILES, MARK)).toContain("qemu_system_shutdown_request");
  });

  test("never has QEMU put itself in the background: its words and its end would be lost", () => {
    expect(toCommandLine(config(), FILES, MARK)).not.toContain("-daemonize");
  });
});

describe("there and back", () => {
  test("a started machine's command line defines the same machine again", () => {
    const first = config({ memory: { max: 2048 * MIB, current: 2048 * MIB, hotplug: { slots: 2, limit: 4096 * MIB } }, vcpus: { max: 4, current: 2, pin: {}, topology: { sockets: 2, cores: 2, threads: 1 } } });
    const again = fromCommandLine(toCommandLine(first, FILES, MARK));
    expect(again.config).toEqual({ ...first, args: ["-display", "none", ...first.args] });
    expect(parseLaunchConfig(again.text, "web1.json")).toEqual(again.config);
    for (const word of ["-display", "-trace", "-object", "-pidfile"]) expect(toCommandLine(again.config, FILES, MARK).filter((each) => each === word)).toHaveLength(1);
  });
});
