import { describe, expect, test } from "vitest";
import { readWords } from "../../../src/domain/machine/command-line.ts";
import { keeperOf, type Traces } from "../../../src/domain/machine/running/keeper.ts";
import { mayBeQemu, mayBeText } from "../../../src/domain/machine/running/qemu-program.ts";

const NOTHING: Traces = { uid: 1000, cgroups: ["/"], ownCgroups: ["/"], sockets: [], pidIn: () => undefined };
const PID = 4711;
const QEMU = "/usr/bin/qemu-system-x86_64";
const LIBVIRT = [
  ...["-name", "guest=web1,debug-threads=on"],
  ...["-object", '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-1-web1/master-key.aes"}'],
];
const PROXMOX = ["-id", "101", "-name", "web1", "-qmp", "unix:/var/run/qemu-server/101.qmp,server=on,wait=off"];

function kept(words: readonly string[], traces: Partial<Traces> = {}): unknown {
  const keeper = keeperOf({ pid: PID }, readWords([QEMU, ...words]), { ...NOTHING, ...traces });
  return keeper === null ? null : [keeper.by, keeper.name, keeper.isSure, keeper.proofs];
}

const pidIn =
  (path: string, pid = PID) =>
  (asked: string): number | undefined =>
    asked === path ? pid : undefined;

describe("who manages a QEMU", () => {
  test.each<readonly [string, readonly string[], Partial<Traces>, unknown]>([
    ["nobody", ["-name", "web1"], {}, null],
    [
      "libvirt, by its pidfile",
      ["-name", "web1"],
      { pidIn: pidIn("/run/libvirt/qemu/web1.pid") },
      ["libvirt", "web1", true, ["the pidfile /run/libvirt/qemu/web1.pid"]],
    ],
    [
      "libvirt of a user's session",
      ["-name", "web1"],
      { pidIn: pidIn("/run/user/1000/libvirt/qemu/run/web1.pid") },
      ["libvirt", "web1", true, ["the pidfile /run/user/1000/libvirt/qemu/run/web1.pid"]],
    ],
    [
      "libvirt, by its control group, whose name is escaped",
      [],
      { cgroups: ["/machine.slice/machine-qemu\\x2d3\\x2dmail\\x2d1.scope/libvirt/emulator"] },
      ["libvirt", "mail-1", true, ["the control group /machine.slice/machine-qemu\\x2d3\\x2dmail\\x2d1.scope/libvirt/emulator"]],
    ],
    [
      "libvirt, by the socket that it listens on",
      [],
      { sockets: ["/x", "/var/lib/libvirt/qemu/domain-1-web1/monitor.sock"] },
      ["libvirt", null, true, ["the socket /var/lib/libvirt/qemu/domain-1-web1/monitor.sock"]],
    ],
    [
      "Proxmox, by its pidfile",
      PROXMOX,
      { pidIn: pidIn("/run/qemu-server/101.pid") },
      ["proxmox", "101", true, ["the pidfile /run/qemu-server/101.pid"]],
    ],
    [
      "Proxmox, by its control group",
      [],
      { cgroups: ["/qemu.slice/102.scope"] },
      ["proxmox", "102", true, ["the control group /qemu.slice/102.scope"]],
    ],
    [
      "Proxmox, by the socket that it listens on",
      [],
      { sockets: ["/var/run/qemu-server/103.qmp"] },
      ["proxmox", "103", true, ["the socket /var/run/qemu-server/103.qmp"]],
    ],
    ["Incus", [], { sockets: ["/run/incus/web1/qemu.monitor"] }, ["incus", "web1", true, ["the socket /run/incus/web1/qemu.monitor"]]],
    [
      "a container",
      [],
      { cgroups: ["/system.slice/docker-0123456789abcdef.scope"] },
      ["container", "docker 0123456789ab", true, ["the control group /system.slice/docker-0123456789abcdef.scope"]],
    ],
  ])("%s", (_, words, traces, wanted) => expect(kept(words, traces)).toEqual(wanted));

  test("a container that we are in is nobody's", () => {
    const cgroups = ["/system.slice/docker-0123456789abcdef.scope"];
    expect(kept([], { cgroups, ownCgroups: cgroups })).toBeNull();
    expect(kept([], { cgroups, ownCgroups: ["/docker/ffffffffffff"] })).toEqual(expect.arrayContaining(["container"]));
  });

  test("a word of the command line proves nothing, but is not taken for nobody's either", () => {
    expect(kept(LIBVIRT)).toEqual([
      "libvirt",
      "web1",
      false,
      ["its command line alone: /var/lib/libvirt/qemu/domain-1-web1/master-key.aes"],
    ]);
    expect(kept(PROXMOX)).toEqual(["proxmox", "101", false, ["its command line alone: -id 101, /var/run/qemu-server/101.qmp"]]);
  });

  test.each<readonly [string, readonly string[], Partial<Traces>]>([
    ["the pidfile of another process", ["-name", "web1"], { pidIn: pidIn("/run/libvirt/qemu/web1.pid", PID + 1) }],
    ["a name that leads out of the folder", ["-name", "../../x"], { pidIn: () => PID }],
    ["a user's group that is only called so", ["-name", "x"], { cgroups: ["/user.slice/user-1000.slice/qemu.slice/101.scope"] }],
    ["a socket that is only called so", [], { sockets: ["/home/u/run/qemu-server/101.qmp"] }],
  ])("%s is no proof", (_, words, traces) => expect(kept(words, traces)).toBeNull());
});

test("a process is looked at for its name, its mark, or QEMU's words under another name", () => {
  const looked = (...argv: readonly string[]): readonly boolean[] => [mayBeText(argv.join("\0")), mayBeQemu({ argv })];
  expect(looked("/usr/bin/qemu-system-x86_64", "-m", "64")).toEqual([true, true]);
  expect(looked("/opt/emu", "-machine", "q35", "-m", "64")).toEqual([true, true]);
  expect(looked("tail", "-f", "/var/log/libvirt/qemu/web1.log")).toEqual([true, false]);
  expect(looked("vim", "-m", "machine.txt", "-M", "x")[0]).toBe(true);
  expect(looked("cat", "x")).toEqual([false, false]);
});
