import { describe, expect, test } from "vitest";
import { configOf } from "../../../scripts/lab/facts.ts";
import { toCommandLine } from "../../../src/config/argv.ts";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import { isQemu, readWords, runsConfig } from "../../../src/domain/machine/command-line.ts";

const ID = "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b";
const FILES = { control: "/run/q/web1/control.sock", watch: "/run/q/web1/watch.sock", pidfile: "/run/q/web1/pid" };
const OBJECT = ["-object", `authz-simple,id=qmpctl-${ID},identity=/etc/qmpctl/web1.json`];

describe("a process is QEMU", () => {
  test.each([
    ["by its name", "qemu-system-x86_64"],
    ["by its name with a path", "/usr/libexec/qemu-kvm"],
    ["as KVM is called in places", "/usr/bin/kvm"],
    ["as a link to it", "/opt/my-qemu-11"],
    ["behind the script that starts it", "/bin/sh", "/opt/qemu-wrapper"],
    ["behind Node, as the one that replays does", "/usr/bin/node", "--enable-source-maps", "/tmp/qmp-1/qemu-fake-emulator.js"],
    ["behind env", "env", "A=b", "qemu-system-aarch64"],
    ["behind the dynamic linker, called by hand", "/lib64/ld-linux-x86-64.so.2", "--library-path", "/opt/lib", "/opt/qemu-system-x86_64"],
    ["behind Python", "python3.11", "/opt/qemu.py"],
  ])("%s", (_how, ...program) => {
    expect(isQemu([...program, "-m", "1G", ...OBJECT])).toBe(true);
  });

  test("by the name of its config's emulator, whatever that is", () => {
    expect(isQemu(["/opt/vm", ...OBJECT])).toBe(false);
    expect(isQemu(["/opt/vm", ...OBJECT], "vm")).toBe(true);
    expect(isQemu(["/bin/sh", "/opt/vm", ...OBJECT], "/elsewhere/vm")).toBe(true);
  });
});

describe("a process is not QEMU", () => {
  test.each([
    ["that reads its log", "tail", "-f", "/var/log/qemu.log"],
    ["that has its words behind it", "tail", "-f", ...OBJECT],
    ["that looks for it", "pgrep", "-af", `qmpctl-${ID}`],
    ["that looks for it by its program", "grep", "qemu-system-x86_64"],
    ["that waits for it", "timeout", "60", "qemu-system-x86_64", ...OBJECT],
    ["that became somebody for it", "sudo", "qemu-system-x86_64", ...OBJECT],
    ["that set its CPUs", "taskset", "-c", "0", "qemu-system-x86_64", ...OBJECT],
    ["that was told a whole command line in one word", "sh", "-c", `qemu-system-x86_64 ${OBJECT.join(" ")}`],
    ["that has it far behind", "bash", "script", "a", "b", "c", "/opt/qemu-system-x86_64"],
    ["that a script was given as a word", "/bin/sh", "-e", "/opt/wrapper", "qemu-system-x86_64", ...OBJECT],
    ["that is in a folder called so", "/opt/qemu/bin/helper", ...OBJECT],
    ["that has no words", ""],
  ])("%s", (_what, ...argv) => {
    expect(isQemu(argv)).toBe(false);
  });

  test("without a command line", () => {
    expect(isQemu([])).toBe(false);
  });
});

describe("QEMU's words", () => {
  test("of one that we started tell its name, its mark, its monitors and its folder", () => {
    const words = readWords(toCommandLine(configOf(), FILES, { id: ID, path: "/etc/qmpctl/web1.json" }));
    expect(words).toMatchObject({
      name: "web1",
      mark: { id: ID, path: "/etc/qmpctl/web1.json" },
      monitors: [
        { kind: "unix", path: FILES.control },
        { kind: "unix", path: FILES.watch },
      ],
      folder: "/run/q/web1",
    });
  });

  test("behind a script or a linker are read from behind the program", () => {
    for (const program of [
      ["/bin/sh", "/opt/qemu-wrapper"],
      ["/lib64/ld-linux-x86-64.so.2", "--library-path", "/x", "/opt/qemu"],
    ])
      expect(readWords([...program, "-name", "db", ...OBJECT])).toMatchObject({ name: "db", mark: { id: ID } });
  });

  test("of somebody else's are in no folder of ours", () => {
    for (const words of [
      [],
      ["-pidfile", "/run/x/pid"],
      ["-pidfile", "/run/x/qemu.pid", "-qmp", "unix:/run/x/control.sock,server=on"],
      ["-pidfile", "/run/x/pid", "-qmp", "unix:/run/y/control.sock,server=on"],
    ])
      expect(readWords(["qemu", ...words])).toMatchObject({ name: null, mark: undefined, folder: null });
  });

  test("mean paths from the folder that it was started in, where that is known", () => {
    const argv = ["qemu", "-qmp", "unix:a.sock,server=on", "-qmp", "unix:/b.sock,server=on"];
    expect(readWords(argv).monitors).toEqual([
      { kind: "unix", path: "a.sock" },
      { kind: "unix", path: "/b.sock" },
    ]);
    expect(readWords(argv, "/srv/vm").monitors).toEqual([
      { kind: "unix", path: "/srv/vm/a.sock" },
      { kind: "unix", path: "/b.sock" },
    ]);
  });

  test("given twice count as QEMU counts them", () => {
    expect(readWords(["qemu", "-name", "one", "-name", "guest=two,debug-threads=on"]).name).toBe("two");
    expect(readWords(["qemu", "-name", "debug-threads=on"]).name).toBeNull();
  });
});

describe("a QEMU without a mark runs a config", () => {
  const args = ["-machine", "q35", "-drive", "file=/srv/web1.qcow2,format=qcow2"];
  const config: LaunchConfig = { ...configOf({ args }), monitor: "/run/own.sock" };
  const runs = (...argv: readonly string[]): boolean => runsConfig(["qemu", ...argv], readWords(["qemu", ...argv]), config);

  test("that has its name, and all the words that are not ours to change, whatever those are by now", () => {
    expect(runs("-name", "web1", "-m", "9G", "-smp", "7", "-pidfile", "/x/pid", "-daemonize", ...args)).toBe(true);
    expect(runs("-name", "guest=web1,debug-threads=on", ...args, "-S")).toBe(true);
  });

  test("that has no name, and all the words", () => {
    expect(runs("-m", "1G", ...args)).toBe(true);
    expect(runs("-m", "1G", ...args, "-device", "x")).toBe(false);
  });

  test("that has its monitor", () => {
    expect(runs("-qmp", "unix:/run/own.sock,server=on,wait=off")).toBe(true);
    expect(runs("-qmp", "unix:/run/own.sock")).toBe(false);
    expect(runs("-name", "other", "-qmp", "unix:/run/own.sock,server=on")).toBe(false);
  });

  test("that has its name and writes one of its disks", () => {
    for (const disk of [
      ["-drive", "if=virtio,file=/srv/web1.qcow2"],
      ["-hda", "/srv/web1.qcow2"],
      ["-blockdev", "driver=file,node-name=d,filename=/srv/web1.qcow2"],
    ]) {
      expect(runs("-name", "web1", ...disk)).toBe(true);
      // Without its name anybody can have that disk.
      expect(runs(...disk)).toBe(false);
    }
  });

  test("not one that only reads that disk, has another, or another name", () => {
    expect(runs("-name", "web1", "-drive", "file=/srv/web1.qcow2,readonly=on")).toBe(false);
    expect(runs("-name", "web1", "-drive", "file=/srv/other.qcow2")).toBe(false);
    expect(runs("-name", "web1", "-cdrom", "/srv/web1.qcow2")).toBe(false);
    expect(runs("-name", "web2", ...args)).toBe(false);
    expect(runs("-name", "web1")).toBe(false);
  });

  test("nor one like all those whose config says nothing", () => {
    const bare: LaunchConfig = configOf({ args: [] });
    expect(runsConfig(["qemu", "-name", "web1"], readWords(["qemu", "-name", "web1"]), bare)).toBe(true);
    expect(runsConfig(["qemu", "-name", "web2"], readWords(["qemu", "-name", "web2"]), bare)).toBe(false);
  });
});
