import { expect, test } from "vitest";
import { isQemuVersion, isSurelyQemu, whyNoEmulator } from "../../src/config/emulator.ts";

test.each(["qemu-system-x86_64", "/opt/q/qemu-system-aarch64", "./qemu-system-x86_64-unsigned", "kvm", "/usr/libexec/qemu-kvm", "qemu"])(
  "%s is a QEMU by its name",
  (program) => {
    expect(isSurelyQemu(program)).toBe(true);
    expect(whyNoEmulator([program, "-m", "1G"])).toBeUndefined();
  },
);

test.each(["qemu-img", "qemu-nbd", "qemu-x86_64", "virtqemud", "qemu-system", "my-qemu", "qemu-storage-daemon", "sleep"])(
  "%s may be one or not: it is asked",
  (program) => {
    expect(isSurelyQemu(program)).toBe(false);
    expect(whyNoEmulator([program])).toBeUndefined();
  },
);

test("only a system emulator says that it is one", () => {
  expect(isQemuVersion("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright")).toBe(true);
  for (const said of ["qemu-img version 7.2.22", "qemu-x86_64 version 7.2.22", "", "sleep (GNU coreutils) 9.1"])
    expect(isQemuVersion(said)).toBe(false);
});

const QEMU = ["qemu-system-x86_64", "-m", "64"];

test.each([
  [["taskset", "-c", "0"], /begins with taskset, .*qemu-system-x86_64, that it runs: take it out; .*"vcpus\.pin"/],
  [["/usr/bin/numactl", "--membind=0"], /begins with numactl/],
  [["ip", "netns", "exec", "n"], /begins with ip, .*in front of qmpctl start/],
  [["stdbuf", "-oL"], /in front of qmpctl start/],
  [["env", "A=1"], /in front of qmpctl start/],
  [["A=1"], /begins with a variable.*no environment/],
  [["sudo", "-u", "vm"], /as that user/],
  [["su", "-c"], /as that user/],
  [["gdb", "--args"], /qmpctl info has its process id/],
  [["nohup"], /in the background itself/],
  [["docker", "run", "image"], /run qmpctl there/],
  [["chroot", "/srv"], /-run-with chroot/],
  [["sh", "-c"], /write the command into a file/],
  [["xvfb-run", "-a"], /no desktop/],
  [["flock", "/tmp/l"], /locks the machine itself/],
  [["ssh", "host"], /exec:ssh/],
  [["-m", "1G"], /begins with an option/],
  [[""], /is empty/],
])("C8: %j before it is no emulator, and it is said where that goes now", (wrapper, why) => {
  expect(whyNoEmulator([...wrapper, ...QEMU])).toMatch(why);
});
