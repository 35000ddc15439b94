import { describe, expect, test } from "vitest";
import { toCommandLine } from "../../src/config/argv.ts";
import { fromCommandLine } from "../../src/config/command-line.ts";
import { UsageError } from "../../src/errors.ts";

const QEMU = ["qemu-system-x86_64", "-name", "web1"];

describe("the guest agent of a command line", () => {
  const PORT = ["-device", "virtserialport,chardev=a0,name=org.qemu.guest_agent.0"];
  const agentOf = (...words: readonly string[]) => fromCommandLine([...QEMU, ...words]).config.agent;

  test.each([
    [["-chardev", "socket,path=/run/a.sock,server=on,wait=off,id=a0", ...PORT]],
    [[...PORT, "-chardev", "socket,id=a0,path=/run/a.sock,server,nowait"]],
    [
      [
        "-chardev",
        "socket,id=a0,path=/run/a.sock,server=on",
        "-device",
        '{"driver":"virtserialport","chardev":"a0","name":"org.qemu.guest_agent.0"}',
      ],
    ],
  ])("is a key of the config, and its words stay: %j", (words) => {
    const { config } = fromCommandLine([...QEMU, ...words]);
    expect([config.agent, config.args]).toEqual(["/run/a.sock", words]);
  });

  test.each([
    [["-chardev", "socket,id=a0,path=/run/a.sock", ...PORT], "QEMU connects to somebody else's"],
    [["-chardev", "socket,id=a1,path=/run/a.sock,server=on", ...PORT], "another chardev"],
    [["-chardev", "socket,id=a0,host=localhost,port=1,server=on", ...PORT], "no path"],
    [["-chardev", "socket,id=a0,path=/run/a.sock,server=on", "-device", "virtserialport,chardev=a0,name=com.example"], "another port"],
  ])("is none in %j: %s", (words, _why) => expect(agentOf(...words)).toBeUndefined());
});

describe("fromCommandLine", () => {
  // What QEMU 7.2, 10.0 and 11.1 make of each, as query-memory-size-summary showed it.
  test.each([
    ["512", 512],
    ["2g", 2048],
    ["1.5G", 1536],
    ["size=512,size=1G", 1024],
    ["0", 128],
    ["2g,size=3G", 3072],
    ["1048576K", 1024],
    ["0x200", 512],
    ["0x2000000b", 512 + 8 / 1024],
    ["0x100M", 256],
    ["size=0x100", 256],
    [".5G", 512],
    ["1.G", 1024],
    ["+256", 256],
    ["0100", 100],
    ["1.3G", 1_395_867_648 / 1024 ** 2],
    ["3000000K", 3_000_000 / 1024],
    ["536870912b", 512],
    ["100000001B", 95.375],
  ])("reads -m %s as %d MiB", (value, mebibytes) => {
    expect(fromCommandLine([...QEMU, "-m", value]).config.memory.max).toBe(mebibytes * 1024 ** 2);
  });

  test("reads a bare maxmem as bytes, as QEMU does", () => {
    const memory = fromCommandLine([...QEMU, "-m", "64,slots=1,maxmem=134217728"]).config.memory;
    expect(memory.hotplug).toEqual({ slots: 1, limit: 128 * 1024 ** 2 });
    expect(fromCommandLine([...QEMU, "-m", "64,slots=0x2,maxmem=0x40000000"]).config.memory.hotplug).toEqual({
      slots: 2,
      limit: 1024 ** 3,
    });
    expect(fromCommandLine([...QEMU, "-m", "64,maxmem=64M"]).config.memory).not.toHaveProperty("hotplug");
  });

  test.each([
    ["cores=2", 2, 2, { cores: 2 }],
    ["sockets=2,cores=2", 4, 4, { sockets: 2, cores: 2 }],
    ["2,cores=2,maxcpus=8", 8, 2, { cores: 2 }],
    ["threads=2,maxcpus=8,cpus=2", 8, 2, { threads: 2 }],
    ["sockets=2,maxcpus=6,cpus=1", 6, 1, { sockets: 2 }],
    ["8,threads=2,sockets=0", 8, 8, { threads: 2 }],
    ["8,dies=2,modules=2", 8, 8, { dies: 2, modules: 2 }],
    ["clusters=1,cores=2,threads=2", 4, 4, { clusters: 1, cores: 2, threads: 2 }],
    ["4,drawers=2,books=1", 4, 4, { drawers: 2, books: 1 }],
    ["0x8,threads=+2", 8, 8, { threads: 2 }],
  ])("keeps of -smp %s what it gives, as machine types complete it each in their way", (value, max, current, topology) => {
    expect(fromCommandLine([...QEMU, "-smp", value]).config.vcpus).toEqual({ max, current, pin: {}, topology });
  });

  test.each([
    ["4", 4, 4],
    ["4,maxcpus=8", 8, 4],
    ["maxcpus=4", 4, 4],
    ["cpus=1", 1, 1],
    ["0x4", 4, 4],
    ["010", 8, 8],
    ["0", 1, 1],
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
    const again = fromCommandLine(
      toCommandLine(config, files, { id: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b", path: "/etc/qmpctl/web.json" }),
    );
    expect(again.config).toEqual(config);
  });

  test("takes an argument for an argument, though it looks like an option of ours", () => {
    const words = ["-append", "-S", "-fw_cfg", "-m", "-kernel", "/-daemonize"];
    const { config, notes } = fromCommandLine([...QEMU, ...words]);
    expect(config.args).toEqual(words);
    expect(notes).toEqual([]);
  });

  test.each(["512MiB", "300.7", "0.5", "1e2", "256 ", "1.5b", "0x", "-1"])("refuses -m %j, as QEMU does", (size) => {
    expect(() => fromCommandLine([...QEMU, "-m", size])).toThrow(`-m size: ${JSON.stringify(size)} can't be read`);
  });

  test.each([
    ["-netdev", '{"type":"tap","fd":"34","vhost":true,"vhostfd":"36","id":"n"}'],
    ["-netdev", "tap,fds=33:34,id=n"],
    ["-netdev", "dgram,id=n,local.type=fd,local.str=33"],
    ["-netdev", '{"type":"stream","id":"n","addr":{"type":"fd","str":"33"}}'],
    ["-device", '{"driver":"vhost-vsock-pci","guest-cid":3,"vhostfd":"28"}'],
    ["-blockdev", '{"driver":"file","filename":"/dev/fdset/3","node-name":"x"}'],
    ["-drive", "file=/dev/fdset/2,if=none"],
    ["-serial", "file:/dev/fdset/2"],
  ])("tells of %s %s that no new process has this descriptor", (...words) => {
    expect(fromCommandLine([...QEMU, ...words]).notes).toEqual([
      `${words.join(" ")}: names a descriptor of that process, which a new one won't have`,
    ]);
  });

  test.each([
    ["-netdev", "tap,id=fd,ifname=fds0"],
    ["-append", "root=/dev/fdset/1 x,fd=3"],
    ["-device", '{"driver":"vhost-user-fs-pci","chardev":"fd"}'],
  ])("finds no descriptor in %s %s", (...words) => {
    expect(fromCommandLine([...QEMU, ...words]).notes).toEqual([]);
  });

  const SOCKET = ["-chardev", "socket,id=c,path=/run/q.sock,server=on,wait=off"];

  test.each([
    ["-mon", "c,mode=control"],
    ["-qmp", "chardev:c"],
    ["-qmp-pretty", "chardev:c"],
  ])("makes the key monitor of a device that only %s %s uses", (...words) => {
    const { config } = fromCommandLine([...QEMU, ...SOCKET, ...words]);
    expect(config).toMatchObject({ monitor: "/run/q.sock", args: [] });
  });

  test.each([
    ["-serial", "chardev:c"],
    ["-device", "isa-serial,chardev=c"],
    ["-device", '{"driver":"isa-serial", "chardev": "c"}'],
  ])("leaves a socket to %s %s, which shares it with a monitor", (...words) => {
    const shared = [SOCKET[0] ?? "", `${SOCKET[1]},mux=on`];
    const { config, notes } = fromCommandLine([...QEMU, ...shared, "-mon", "chardev=c,mode=control", ...words]);
    expect(config).not.toHaveProperty("monitor");
    expect(config.args).toEqual([...shared, ...words]);
    expect(notes).toEqual(["-mon chardev=c,mode=control: dropped, a started machine has monitors of its own"]);
  });

  test.each([
    [["qemu-system-x86_64"], "command line: it has no -name"],
    [["sudo", ...QEMU], "command line: it begins with sudo, not with the emulator"],
    [["/usr/bin/taskset", "-c", "0", ...QEMU], "command line: it begins with taskset, not with the emulator"],
    [["LANG=C", ...QEMU], "command line: it begins with a variable, not with the emulator"],
    [[], "command line: it is empty, and should begin with the emulator"],
    [[...QEMU, "-m", "lots"], '-m size: "lots" can\'t be read, expected a size as QEMU takes it, as 512M or 2G'],
    [[...QEMU, "-smp", "-1"], '-smp cpus: "-1" can\'t be read, expected a whole number'],
    [[...QEMU, "-m", "256,maxmem=128M"], '-m maxmem: "128M" can\'t be read, expected at least the size, 256MiB'],
    [[...QEMU, "-m", "256,slots=2"], '-m slots: "2" can\'t be read, expected a maxmem beside it, as QEMU wants'],
    [[...QEMU, "-smp", "09"], '-smp cpus: "09" can\'t be read'],
    [["qemu-system-x86_64", "-name", "my web"], 'name "my web": not a domain\'s name'],
  ])("refuses %j", (argv, message) => {
    expect(() => fromCommandLine(argv)).toThrow(UsageError);
    expect(() => fromCommandLine(argv)).toThrow(message);
  });
});
