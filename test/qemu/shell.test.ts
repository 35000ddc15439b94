/// <reference lib="esnext.disposable" />
import { describe, expect, test } from "vitest";
import { launch, type Machine, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { startInTerminal } from "../cli/pty.ts";

const MACHINE = [
  ...["-machine", "q35", "-S", "-m", "64", "-smp", "cpus=1,maxcpus=4"],
  ...["-device", "pcie-root-port,id=port0", "-device", "virtio-balloon-pci,id=balloon0"],
  ...["-object", "iothread,id=io0", "-chardev", "null,id=null0", "-blockdev", "null-co,node-name=disk0", "-netdev", "user,id=net0"],
];

describe.each(await qemus())("the shell on QEMU $version", (qemu) => {
  async function shell(machine: Machine, home: string, ...options: readonly string[]) {
    const pty = startInTerminal(["qmp", machine.address, ...options], { HOME: home });
    await pty.says("> ");
    return pty;
  }

  test("completes commands, arguments, values and ids from the machine itself", async () => {
    await using machine = await launch(qemu.binary, MACHINE);
    await using home = await privateFolder();
    await using pty = await shell(machine, home.path);
    for (const [typed, completed] of [
      ["query-hotp", "query-hotpluggable-cpus "],
      ["balloon ", "balloon value="],
      ["qom-list-types abs", "abstract="],
      ["qom-list-types abstract=t", "abstract=true "],
      ["device_del id=ball", "id=balloon0 "],
      ["object-del id=i", "id=io0 "],
      ["chardev-remove id=n", "id=null0 "],
      ["blockdev-del node-name=d", "node-name=disk0 "],
      ["netdev_del id=", "id=net0 "],
      ["qom-get path=/machine/periph", "path=/machine/peripheral"],
      ["qom-get path=/machine/peripheral/balloon0 property=guest-stats-p", "property=guest-stats-polling-interval "],
      ["device_add driver=virtio-rng-p", "driver=virtio-rng-pci"],
      ["device_add driver=virtio-rng-pci max-by", "max-bytes="],
      ["device_add bus=por", "bus=port0 "],
      // Before 6.0 QEMU's schema does not know what objects there are.
      ...(qemu.major < 6
        ? []
        : ([
            ["object-add qom-type=memory-backend-ra", "qom-type=memory-backend-ram "],
            ["object-add qom-type=memory-backend-ram siz", "size="],
          ] as const)),
      ["blockdev-add driver=qcow2 file.driver=fil", "file.driver=file "],
      ["!info regis", "info registers "],
    ] as const) {
      pty.type(typed);
      await pty.says(typed);
      pty.type("\t");
      if (!typed.endsWith(completed)) await pty.says(typed.startsWith("!") ? "ters " : completed.slice(longestOverlap(typed, completed)));
      pty.type("\u0003");
      await pty.says(/\^C\n[^]*> $/);
    }
  });

  test("types values as this QEMU wants them, shows events, errors and help", async () => {
    await using machine = await launch(qemu.binary, MACHINE);
    await using home = await privateFolder();
    await using pty = await shell(machine, home.path);
    pty.type("device_add driver=virtio-blk-pci id=b7 bus=port0 drive=disk0 serial=123 indirect_desc=off\r");
    await pty.says("{}");
    expect(await machine.ask("qom-get", { path: "/machine/peripheral/b7", property: "indirect_desc" })).toBe(false);
    expect(await machine.ask("qom-get", { path: "/machine/peripheral/b7", property: "serial" })).toBe("123");
    pty.type("balloon value=32M\r");
    await pty.says(/\{\}\n/);
    pty.type("cont\r");
    await pty.says(/\d\d:\d\d:\d\d\.\d{3} {2}RESUME/);
    pty.type("device_del id=nobody\r");
    await pty.says("error: device_del: Device 'nobody' not found (DeviceNotFound)");
    pty.type("query-balon\r");
    await pty.says("did you mean query-balloon?");
    pty.type("help balloon\r");
    await pty.says("  value  integer");
    pty.type("!info name\r");
    await pty.says(/> $/);
    pty.type("quit\r");
    await pty.says("type it again");
    pty.type("quit\r");
    expect(await pty.ended).toBe(0);
    expect((await machine.exited).code).toBe(0);
  });

  test("tells of QEMU's death, and ends with 1", async () => {
    await using machine = await launch(qemu.binary, ["-machine", "none", "-S"]);
    await using home = await privateFolder();
    await using pty = await shell(machine, home.path);
    await machine.kill();
    // A connection whose other end had not read all yet is reset.
    // Where the line ends depends on how long the address is.
    await pty.says(/qmpctl: .*\s(?:the\s+peer\s+closed\s+the\s+connection|the\s+connection\s+broke:\s+read\s+ECONNRESET)/);
    expect(await pty.ended).toBe(1);
  });
});

/** How much of the completed word the typed line ends with. */
function longestOverlap(typed: string, completed: string): number {
  for (let length = Math.min(typed.length, completed.length); length > 0; length--)
    if (typed.endsWith(completed.slice(0, length))) return length;
  return 0;
}
