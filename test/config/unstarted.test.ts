import { expect, test } from "vitest";
import { splitOptions } from "../../src/config/options.ts";
import { obstaclesIn } from "../../src/config/unstarted.ts";

// QEMU 7.2, 10.0 and 11.1 print a list for each of these, or refuse the word: none starts a machine.
test.each([
  ["-h"],
  ["--help"],
  ["-version"],
  ["-M", "help"],
  ["-machine", "?"],
  ["-cpu", "help"],
  ["-cpu", "?"],
  ["-accel", "help"],
  ["-device", "help"],
  ["-device", "e1000,help"],
  ["-device", "e1000,?"],
  ["-object", "memory-backend-ram,help"],
  ["-netdev", "help"],
  ["-chardev", "help"],
  ["-audiodev", "help"],
  ["-display", "help"],
  ["-vga", "help"],
  ["-d", "help"],
  ["-trace", "help"],
  ["-smp", "help"],
  ["-rtc", "help"],
  ["-boot", "help"],
  ["-drive", "file=x,format=help"],
  ["-tpmdev", "help"],
  ["-machine", "q35,help"],
  ["-machine", "virt,dumpdtb=/x"],
  ["-dump-vmstate", "/x"],
])("%s %s starts no machine", (...words) => {
  expect(obstaclesIn(splitOptions(words)).map(({ once }) => once)).toEqual([false]);
});

test.each([
  ["-name", "help"],
  ["-append", "help"],
  ["-kernel", "help"],
  ["-hda", "help"],
  ["-k", "help"],
  ["-option-rom", "help"],
  ["-fw_cfg", "name=opt/x,string=help"],
  ["-append", "-incoming"],
  ["-smbios", "type=1,product=help"],
  ["-device", '{"driver":"x","id":"help"}'],
  ["-machine", "q35"],
  ["-append", "x,help"],
  ["-M", "none", "-machine", "pc"],
])("%s %s does", (...words) => {
  expect(obstaclesIn(splitOptions(words))).toEqual([]);
});

test.each([["-incoming", "defer"], ["--incoming", "fd:7"], ["-preconfig"], ["--preconfig"]])(
  "%s %s tells how a machine came to be",
  (...words) => {
    expect(obstaclesIn(splitOptions(words)).map(({ once }) => once)).toEqual([true]);
  },
);

test("a machine type counts where it is the last one", () => {
  expect(obstaclesIn(splitOptions(["-M", "pc", "-machine", "type=none"]))).toHaveLength(1);
});
