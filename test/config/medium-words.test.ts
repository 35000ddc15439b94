import { describe, expect, test } from "vitest";
import { drivesInArgs, mediumInArgs } from "../../src/config/drive-words.ts";
import { editJson } from "../../src/config/edit.ts";
import { mediumEdits } from "../../src/config/medium-words.ts";
import { formatMedium, parseMedium } from "../../src/config/medium.ts";
import { UsageError } from "../../src/errors.ts";

const X86 = "qemu-system-x86_64";

/** The args after another medium was put into a drive; a text says why not. */
function withMedium(args: readonly string[], name: string, medium: string): readonly string[] | string {
  const drive = drivesInArgs({ args, emulator: X86 }).find((each) => each.name === name);
  if (drive === undefined) return "no such drive";
  const edits = mediumEdits(drive, args, parseMedium(medium));
  return typeof edits === "string" ? edits : (JSON.parse(editJson(JSON.stringify({ args }), edits)) as { args: readonly string[] }).args;
}

/** What each drive holds. */
function mediaOf(args: readonly string[], emulator = X86): Readonly<Record<string, string>> {
  return Object.fromEntries(
    drivesInArgs({ args, emulator }).map((drive) => {
      const found = mediumInArgs(drive, args);
      return [drive.name, "other" in found ? `other: ${found.other}` : formatMedium(found.medium)];
    }),
  );
}

const NODE = "driver=raw,node-name=m0,read-only=on,cache.direct=on,file.driver=file,file.filename=/a.iso";
const DEVICE = "ide-cd,id=cd0,drive=m0";

// What stands in args, the drive, and the words of its args with /b,c.iso in it, and with nothing.
const SHAPES: readonly (readonly [string, readonly string[], string, readonly string[], readonly string[]])[] = [
  ["-cdrom of a PC", ["-cdrom", "/a.iso"], "ide1-cd0", ["-cdrom", "/b,c.iso"], ["-drive", "index=2,media=cdrom"]],
  [
    "-cdrom of q35",
    ["-machine", "q35,accel=tcg", "-cdrom", "/a.iso"],
    "ide2-cd0",
    ["-machine", "q35,accel=tcg", "-cdrom", "/b,c.iso"],
    ["-machine", "q35,accel=tcg", "-drive", "index=2,media=cdrom"],
  ],
  ["-fda", ["-fda", "/a.iso"], "floppy0", ["-fda", "/b,c.iso"], ["-drive", "if=floppy,index=0"]],
  [
    "-drive with an id",
    ["-drive", "if=none,id=dr.1,file=/a.iso,media=cdrom", "-device", "ide-cd,drive=dr.1"],
    "dr.1",
    ["-drive", "if=none,id=dr.1,media=cdrom,file=/b,,c.iso,format=raw", "-device", "ide-cd,drive=dr.1"],
    ["-drive", "if=none,id=dr.1,media=cdrom", "-device", "ide-cd,drive=dr.1"],
  ],
  [
    "a node and its device",
    ["-blockdev", NODE, "-device", DEVICE, "-nodefaults"],
    "cd0",
    ["-blockdev", NODE.replace("/a.iso", "/b,,c.iso"), "-device", DEVICE, "-nodefaults"],
    ["-device", "ide-cd,id=cd0", "-nodefaults"],
  ],
  [
    "a format on a node that is the file",
    ["-blockdev", "file,node-name=f0,filename=/a.iso", "-blockdev", "raw,node-name=m0,file=f0", "-device", DEVICE],
    "cd0",
    ["-blockdev", "file,node-name=f0,filename=/b,,c.iso", "-blockdev", "raw,node-name=m0,file=f0", "-device", DEVICE],
    ["-device", "ide-cd,id=cd0"],
  ],
  [
    "JSON",
    [
      "-blockdev",
      '{"driver":"raw","node-name":"m0","file":{"driver":"file","filename":"/a.iso"}}',
      "-device",
      '{"driver":"scsi-cd","id":"cd0","drive":"m0"}',
    ],
    "cd0",
    [
      "-blockdev",
      '{"driver":"raw","node-name":"m0","file":{"driver":"file","filename":"/b,c.iso"}}',
      "-device",
      '{"driver":"scsi-cd","id":"cd0","drive":"m0"}',
    ],
    ["-device", '{"driver":"scsi-cd","id":"cd0"}'],
  ],
];

describe.each(SHAPES)("%s", (_, args, name, replaced, emptied) => {
  test("is read, and written with another file and with none, and nothing else", () => {
    expect(mediaOf(args)).toEqual({ [name]: "/a.iso" });
    expect(withMedium(args, name, "/b,c.iso")).toEqual(replaced);
    expect(mediaOf(replaced)).toEqual({ [name]: "/b,c.iso" });
    expect(withMedium(args, name, "none")).toEqual(emptied);
    expect(mediaOf(emptied)).toEqual({ [name]: "none" });
  });

  test("takes a medium when it is empty, of another format too", () => {
    const filled = withMedium(emptied, name, "qcow2:/d.img") as readonly string[];
    expect(mediaOf(filled)).toEqual({ [name]: "qcow2:/d.img" });
    expect(withMedium(filled, name, "none")).toEqual(emptied);
  });
});

test("a node that something else uses too stays when the drive is emptied", () => {
  const args = ["-blockdev", NODE, "-device", DEVICE, "-device", "virtio-blk-pci,drive=m0,id=d1"];
  expect(withMedium(args, "cd0", "none")).toEqual([
    "-blockdev",
    NODE,
    "-device",
    "ide-cd,id=cd0",
    "-device",
    "virtio-blk-pci,drive=m0,id=d1",
  ]);
});

test("another format is written where the words have a place for one", () => {
  expect(withMedium(["-blockdev", NODE, "-device", DEVICE], "cd0", "/d.qcow2")).toEqual([
    "-blockdev",
    NODE.replace("driver=raw", "driver=qcow2").replace("/a.iso", "/d.qcow2"),
    "-device",
    DEVICE,
  ]);
  expect(withMedium(["-cdrom", "/a.iso"], "ide1-cd0", "qcow2:/d.img")).toEqual(["-drive", "index=2,media=cdrom,file=/d.img,format=qcow2"]);
  const file = ["-blockdev", "file,node-name=m0,filename=/a.iso", "-device", DEVICE];
  expect(withMedium(file, "cd0", "/d.qcow2")).toBe("its node m0 is the file itself, so it is raw");
});

test("words that are no file on a format are not edited, and shown as they are", () => {
  const net = ["-blockdev", "nbd,node-name=m0,server.type=unix,server.path=/s", "-device", DEVICE];
  expect(mediaOf(net)).toEqual({ cd0: "other: nbd,node-name=m0,server.type=unix,server.path=/s" });
  // In its place comes a node of its own.
  expect(withMedium(net, "cd0", "/a.iso")).toEqual([
    "-device",
    "ide-cd,id=cd0,drive=cd0-medium",
    "-blockdev",
    "driver=raw,node-name=cd0-medium,read-only=on,file.driver=file,file.filename=/a.iso",
  ]);
  const drive = ["-drive", "if=none,id=d,media=cdrom,driver=null-co", "-device", "ide-cd,drive=d"];
  expect(withMedium(drive, "d", "/a.iso")).toBe("what is in it is no file: if=none,id=d,media=cdrom,driver=null-co");
  const throttled = ["-blockdev", "throttle,node-name=m0,throttle-group=g,file.driver=file,file.filename=/a", "-device", DEVICE];
  expect(withMedium(["-device", "ide-cd,id=cd0"], "cd0", "nbd://host/disc")).toBe(
    "nbd://host/disc is no file, and a node for it is not written",
  );
  expect(mediaOf(throttled)).toEqual({ cd0: `other: ${throttled[1]}` });
});

test("drives that QEMU names are those of a PC: by their place, the others around them, and its machine", () => {
  expect(mediaOf(["-hda", "/d", "-drive", "media=cdrom", "-cdrom", "/a.iso", "-drive", "if=floppy,file=/f,format=raw"])).toEqual({
    "ide0-cd1": "none",
    "ide1-cd0": "/a.iso",
    floppy0: "/f",
  });
  expect(mediaOf(["-M", "q35", "-drive", "media=cdrom,index=3"])).toEqual({ "ide3-cd0": "none" });
  expect(mediaOf(["-cdrom", "/a.iso"], "qemu-system-ppc64")).toEqual({});
  expect(mediaOf(["-M", "microvm", "-cdrom", "/a.iso"])).toEqual({});
  // The name of a node goes with the medium.
  expect(mediaOf(["-blockdev", NODE, "-device", "ide-cd,drive=m0"])).toEqual({});
});

test("a medium in one text: a path, its format where the name does not say it, nothing", () => {
  for (const text of ["none", "/a.iso", "/a.QCOW2", "qcow2:/a.iso", "raw:/a.qcow2", "nbd://host/x", "/a: b,c"])
    expect(formatMedium(parseMedium(text))).toBe(text);
  expect(formatMedium(parseMedium("qcow2:/a.qcow2"))).toBe("/a.qcow2");
  for (const wrong of ["", "a.iso", "/", "/dir/", "/a\nb", "qcow2:a", "NONE"]) expect(() => parseMedium(wrong)).toThrow(UsageError);
});
