import { toCommandLine } from "../../src/config/argv.ts";
import { describe, expect, test } from "vitest";
import { fromCommandLine } from "../../src/config/command-line.ts";
import { readShellWords } from "../../src/config/shell-words.ts";
import { UsageError } from "../../src/errors.ts";
import { fixture, fixturesIn } from "./fixtures.ts";

const QEMU = ["qemu-system-x86_64", "-name", "web1"];

describe("fromCommandLine", () => {
  test.each(fixturesIn("command-lines", ".sh"))("makes a config of command-lines/%s.sh", (name) => {
    const { text, notes } = fromCommandLine(readShellWords(fixture(`command-lines/${name}.sh`)));
    expect(text).toBe(fixture(`command-lines/${name}.json`));
    expect(notes.map((note) => `${note}\n`).join("")).toBe(fixture(`command-lines/${name}.txt`));
  });

  // What QEMU 7.2, 10.0 and 11.1 make of each, as query-memory-size-summary showed it.
  test.each([
    ["512", 512],
    ["2g", 2048],
    ["1.5G", 1536],
    ["size=512,size=1G", 1024],
    ["0", 128],
    ["2g,size=3G", 3072],
    ["1048576K", 1024],
  ])("reads -m %s as %d MiB", (value, mebibytes) => {
    expect(fromCommandLine([...QEMU, "-m", value]).config.memory.max).toBe(mebibytes * 1024 ** 2);
  });

  test("reads a bare maxmem as bytes, as QEMU does", () => {
    const memory = fromCommandLine([...QEMU, "-m", "64,slots=1,maxmem=134217728"]).config.memory;
    expect(memory.hotplug).toEqual({ slots: 1, limit: 128 * 1024 ** 2 });
  });

  // What QEMU 7.2, 10.0 and 11.1 make of each, as query-hotpluggable-cpus showed it: sockets, cores, threads.
  test.each([
    ["cores=2", 2, 2, [1, 2, 1]],
    ["sockets=2,cores=2", 4, 4, [2, 2, 1]],
    ["2,cores=2,maxcpus=8", 8, 2, [4, 2, 1]],
    ["threads=2,maxcpus=8,cpus=2", 8, 2, [1, 4, 2]],
    ["sockets=2,maxcpus=6,cpus=1", 6, 1, [2, 3, 1]],
  ])("completes -smp %s", (value, max, current, [sockets, cores, threads]) => {
    expect(fromCommandLine([...QEMU, "-smp", value]).config.vcpus).toEqual({ max, current, pin: {}, topology: { sockets, cores, threads } });
  });

  test.each([
    ["4", 4, 4],
    ["4,maxcpus=8", 8, 4],
    ["maxcpus=4", 4, 4],
    ["cpus=1", 1, 1],
  ])("leaves the topology of -smp %s to QEMU", (value, max, current) => {
    expect(fromCommandLine([...QEMU, "-smp", value]).config.vcpus).toEqual({ max, current, pin: {} });
  });

  test("adds up options that are repeated, as QEMU does", () => {
    const { config } = fromCommandLine([...QEMU, "-smp", "2", "-m", "1G", "--smp", "maxcpus=4", "-m", "2G"]);
    expect([config.vcpus.current, config.vcpus.max, config.memory.max]).toEqual([2, 4, 2 * 1024 ** 3]);
  });

  test("a name that is given goes before -name, and stands in for it", () => {
    expect(fromCommandLine(QEMU, { name: "db" }).config.name).toBe("db");
    expect(fromCommandLine(["qemu-system-x86_64"], { name: "db" }).config.name).toBe("db");
  });

  test("of a machine that we started gives the config that it was started from: what start adds is taken out again", () => {
    const files = { control: "/run/qmpctl/web/control.sock", watch: "/run/qmpctl/web/watch.sock", pidfile: "/run/qmpctl/web/pid" };
    const { config } = fromCommandLine([...QEMU, "-m", "64", "-display", "none"]);
    const again = fromCommandLine(toCommandLine(config, files, { id: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b", path: "/etc/qmpctl/web.json" }));
    expect(again.config).toEqual(config);
  });

  test("takes an argument for an argument, though it looks like an option of ours", () => {
    const words = ["-append", "-S", "-fw_cfg", "-m", "-kernel", "/-daemonize"];
    const { config, notes } = fromCommandLine([...QEMU, ...words]);
    expect(config.args).toEqual(words);
    expect(notes).toEqual([]);
  });

  test.each([
    [["qemu-system-x86_64"], "command line: it has no -name"],
    [["sudo", ...QEMU], "command line: it begins with sudo, not with the emulator"],
    [["/usr/bin/taskset", "-c", "0", ...QEMU], "command line: it begins with taskset, not with the emulator"],
    [["LANG=C", ...QEMU], "command line: it begins with a variable, not with the emulator"],
    [[], "command line: it is empty, not with the emulator"],
    [[...QEMU, "-m", "lots"], '-m size: "lots" can\'t be read, expected a size as QEMU takes it, as 512M or 2G'],
    [[...QEMU, "-smp", "-1"], '-smp cpus: "-1" can\'t be read, expected a whole number'],
    [[...QEMU, "-smp", "8,clusters=2"], '-smp clusters: "2" can\'t be read, expected sockets, dies, cores and threads only: a launch config knows no others'],
    [["qemu-system-x86_64", "-name", "my web"], 'name "my web": not a domain\'s name'],
  ])("refuses %j", (argv, message) => {
    expect(() => fromCommandLine(argv)).toThrow(UsageError);
    expect(() => fromCommandLine(argv)).toThrow(message);
  });
});
