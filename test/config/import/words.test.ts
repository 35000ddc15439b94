import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Adapted } from "../../../src/config/import/adapt.ts";
import { readConverted } from "../../../src/config/import/converted.ts";
import type { Extras } from "../../../src/config/import/extras.ts";
import { withoutLibvirt } from "../../../src/config/import/libvirt-words.ts";
import { extrasOfXml } from "../../../src/config/import/libvirt-xml.ts";
import { extrasOfProxmox } from "../../../src/config/import/proxmox-config.ts";
import { withoutProxmox } from "../../../src/config/import/proxmox-words.ts";
import { splitOptions } from "../../../src/config/options.ts";

const FIXTURES = new URL("../../../fixtures/import/", import.meta.url).pathname;
const read = (...path: readonly string[]): string => readFileSync(join(FIXTURES, ...path), "utf8");
const FOLDER = "/run/qmpctl/x";

function imported(text: string, { nets }: Pick<Extras, "nets"> = { nets: new Map() }, owner = withoutLibvirt): Adapted {
  return owner(splitOptions(readConverted(text, "saved").words.slice(1)), { folder: FOLDER, nets });
}

const linesOf = ({ options }: Adapted): readonly string[] => options.map(({ words }) => words.join(" "));

describe("what a converter printed", () => {
  test("is read as a shell would read it, with the variables in front", () => {
    const { environment, words } = readConverted(`A=1 PATH='/a b':/c \\\n  /usr/bin/kvm -name 'it'\\''s, x' \\\n -m 1 \n`, "saved");
    expect(environment).toEqual([
      ["A", "1"],
      ["PATH", "/a b:/c"],
    ]);
    expect(words).toEqual(["/usr/bin/kvm", "-name", "it's, x", "-m", "1"]);
  });

  test.each([
    ["", "saved: it has no command"],
    ["A=1\n", "saved: it has no command"],
    ["kvm -m 1\nkvm -m 2\n", "saved: line 1 is not the end of its one command"],
    ["kvm -m 1; rm -rf /", "saved: line 1 is not the end of its one command"],
    ["kvm -m 1 > /etc/passwd", "saved: line 1 is not the end of its one command"],
    ["kvm -m $(reboot)", "command line, line 1: $ needs a shell: write out what it stands for"],
  ])("%j is refused", (text, why) => {
    expect(() => readConverted(text, "saved")).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(why) as string }),
    );
  });
});

describe("a machine of libvirt's", () => {
  const machines = readdirSync(join(FIXTURES, "libvirt")).filter((name) => name.endsWith(".argv"));

  test.each(machines)("%s has nothing left that only libvirt can give it", (name) => {
    const left = linesOf(imported(read("libvirt", name)));
    expect(machines.length).toBeGreaterThanOrEqual(3);
    expect(left.filter((line) => /master-?key|fd["=]|domain--1|charmonitor|no-shutdown/i.test(line))).toEqual([]);
    // What it is stays.
    expect(left.some((line) => line.startsWith("-uuid "))).toBe(true);
  });

  test("has the networks of its XML: of one that libvirt converts to a TAP only that tells", () => {
    const netsOf = (name: string, xml: string): readonly string[] =>
      linesOf(imported(read("libvirt", `${name}.argv`), xml === "" ? undefined : extrasOfXml(xml))).filter((line) =>
        line.startsWith("-netdev"),
      );
    expect(netsOf("plain", read("libvirt", "plain.dumpxml"))).toEqual(["-netdev user,id=hostnet0"]);
    expect(netsOf("helpers", read("libvirt", "helpers.dumpxml"))).toEqual([
      "-netdev bridge,id=hostnet0,br=br0",
      "-netdev user,id=hostnet1",
    ]);
    expect(netsOf("helpers", "")).toEqual(["-netdev user,id=hostnet0", "-netdev user,id=hostnet1"]);
  });

  test("loses what uses a program that libvirt starts, and its sandbox lets a network's helper be started", () => {
    const made = imported(read("libvirt", "helpers.argv"), extrasOfXml(read("libvirt", "helpers.dumpxml")));
    expect(linesOf(made).filter((line) => /vhost-user-fs|chr-vu-fs0/.test(line))).toEqual([]);
    expect(linesOf(made)).toContain("-sandbox on,obsolete=deny,resourcecontrol=deny");
    expect(linesOf(made).find((line) => line.includes("memory-backend-file"))).toContain('"mem-path":"/var/lib/libvirt/qemu/ram"');
    expect(made.notes.filter((note) => note.includes("vhost-user-fs-pci"))).toEqual([
      expect.stringMatching(/^-device .*: left out: it needs what is left out$/),
    ]);
    // Without a helper it stays as it is.
    expect(linesOf(imported(read("libvirt", "plain.argv"))).find((line) => line.startsWith("-sandbox"))).toContain("spawn=deny");
  });

  test("keeps a monitor that somebody added, and a secret of their own; not one that only libvirt's key reads", () => {
    const words = [
      ..."-qmp unix:/srv/mine.sock,server=on,wait=off -object secret,id=mine,file=/srv/key".split(" "),
      ...["-object", '{"qom-type":"secret","id":"disk0","keyid":"masterKey0","data":"x"}'],
    ];
    const { options, notes } = withoutLibvirt(splitOptions(words), { folder: FOLDER, nets: new Map() });
    expect(options.map(({ words: each }) => each.join(" "))).toEqual([
      "-qmp unix:/srv/mine.sock,server=on,wait=off",
      "-object secret,id=mine,file=/srv/key",
    ]);
    expect(notes).toEqual([expect.stringContaining("add -object secret,id=disk0,file=FILE, or start fails")]);
  });

  test("has what is on no command line: it is read from the XML", () => {
    const keysOf = (xml: string): unknown => extrasOfXml(xml).keys.map(({ path, value }) => [path.join("."), value]);
    expect(keysOf(read("libvirt", "plain.dumpxml"))).toEqual([
      ["memory.current", "384MiB"],
      ["vcpus.current", 2],
    ]);
    expect(keysOf(read("libvirt", "numa.dumpxml"))).toEqual([
      ["memory.period", 10],
      ["vcpus.current", 3],
      ["vcpus.pin", { 0: "0", 1: "0-1" }],
      ["threads", { emulator: "0-1" }],
    ]);
    // As people write it, with a gap, and with what has no counterpart.
    const own = `<domain><!-- <name>no</name> --><name>a &amp; b</name><memory unit="GiB">2</memory><currentMemory>1048576</currentMemory>
      <vcpus><vcpu id="0" enabled="yes"/><vcpu id="1" enabled="no"/><vcpu id='2' enabled='yes'/></vcpus>
      <cputune><shares>10</shares><vcpupin vcpu="0" cpuset="0-3,^2"/></cputune></domain>`;
    expect([extrasOfXml(own).name, keysOf(own)]).toEqual([
      "a & b",
      [
        ["memory.current", "1GiB"],
        ["vcpus.current", 2],
        ["vcpus.online", "0,2"],
      ],
    ]);
    expect(extrasOfXml(own).notes).toEqual([expect.stringContaining("not taken over: shares, pins with ^:")]);
    expect(keysOf(own.replace("<cputune>", `<devices><memballoon model="none"/></devices><cputune>`))).not.toContainEqual([
      "memory.current",
      "1GiB",
    ]);
  });
});

describe("a machine of Proxmox's", () => {
  test.each(["101", "8002"])("%s has nothing left that only Proxmox can give it", (id) => {
    const left = linesOf(imported(read("proxmox", `${id}.showcmd`), extrasOfProxmox(read("proxmox", `${id}.config`)), withoutProxmox));
    // The pidfile goes with what start does itself, in any command line.
    expect(left.filter((line) => /qemu-server|qmeventd|\+pve|^-id |no-shutdown|iscsi|tpm/.test(line))).toEqual([
      `-pidfile /var/run/qemu-server/${id}.pid`,
    ]);
    expect(left.find((line) => line.startsWith("-netdev"))).toBe(`-netdev bridge,id=net0,br=${id === "101" ? "vmbr0" : "vmbr1"}`);
  });

  test("has sockets in a folder of its own, the board without Proxmox's version, and no picture of Proxmox's", () => {
    const left = linesOf(imported(read("proxmox", "101.showcmd"), undefined, withoutProxmox));
    expect(left).toEqual(
      expect.arrayContaining([
        `-chardev socket,path=${FOLDER}/qga0.sock,server=on,wait=off,id=qga0`,
        "-machine accel=tcg,smm=off,type=pc-i440fx-7.2",
        "-boot menu=on,strict=on,reboot-timeout=1000",
        "-display none",
        "-netdev user,id=net0",
      ]),
    );
  });

  test("keeps -iscsi if a disk is there, and says which volumes Proxmox activates", () => {
    const words = [
      "-iscsi",
      "initiator-name=iqn.x",
      "-drive",
      "file=iscsi://10.0.0.1/iqn.y/0,if=none,id=d",
      "-drive",
      "file=/dev/pve/vm-1-disk-0,id=e",
    ];
    const { options, notes } = withoutProxmox(splitOptions(words), { folder: FOLDER, nets: new Map() });
    expect(options.flatMap((option) => option.words)).toEqual(words);
    expect(notes).toEqual([expect.stringContaining("Proxmox activates that volume before a start")]);
  });

  test("has the lowest balloon of its config, and what is not taken over is named", () => {
    const { keys, nets, notes } = extrasOfProxmox(read("proxmox", "101.config"));
    expect(keys).toEqual([{ path: ["memory", "min"], value: "256MiB", from: "balloon of qm config" }]);
    expect(nets.get("bc:24:11:0a:0b:01")).toEqual({ kind: "bridge", bridge: "vmbr0" });
    expect(notes).toEqual([expect.stringContaining("cpulimit"), expect.stringContaining("VLAN tags")]);
  });
});
