import { expect, test } from "vitest";
import { clashesIn, idsTwice } from "../../src/config/args-clashes.ts";
import { SAMPLES } from "./corpus.ts";

const words = (text: string): readonly string[] => text.split(" ");
const PORT = "-device pcie-root-port,id=rp1,chassis=1,slot=1";

test.each([
  ["-netdev user,id=n -netdev user,id=n", ["there are two of network backend n"]],
  ["-drive if=none,id=n -blockdev null-co,node-name=n", ["there are two of drive or block node n"]],
  ['-device virtio-rng-pci,id=a -device {"driver":"e1000","id":"a"}', ["there are two of device a"]],
  ["-object iothread,id=a -object rng-builtin,id=a", ["there are two of object a"]],
  ["-netdev user,id=n -device e1000,netdev=n -device e1000,netdev=n", ["two devices use network n"]],
  ["-blockdev null-co,node-name=n -device ide-hd,drive=n -device scsi-hd,drive=n", ["two devices use drive n"]],
  [`${PORT} -device e1000,bus=rp1 -device virtio-rng-pci,bus=rp1`, ["two devices are on port rp1, which has room for one"]],
  [`${PORT} -device pcie-root-port,id=rp2,chassis=1,slot=0x1`, ["two ports are in chassis 1, slot 1"]],
  ["-device virtio-blk-pci,drive=n,id=d", ["nothing makes drive n, which device d uses"]],
  ["-device e1000,netdev=n", ["nothing makes netdev n, which device e1000 uses"]],
  ["-device virtserialport,chardev=c", ["nothing makes chardev c, which device virtserialport uses"]],
  ["-device virtio-rng-pci,id=r,bus=rp7", ["there is no rp7, whose bus device r is on"]],
])("%s keeps QEMU from starting", (args, expected) => expect(clashesIn(words(args))).toEqual(expected));

test.each([
  "-blockdev null-co,node-name=n -device ide-hd,drive=n,share-rw=on -device scsi-hd,drive=n,share-rw=on",
  "-blockdev null-co,node-name=n,read-only=on -device ide-cd,drive=n -device scsi-hd,drive=n",
  `${PORT} -device e1000,bus=rp1,addr=0.0,multifunction=on -device e1000,bus=rp1,addr=0.1`,
  "-device virtio-scsi-pci,id=s -blockdev raw,node-name=r,file.driver=null-co,file.node-name=f -device scsi-hd,bus=s.0,drive=f",
  "-cdrom /a.iso -device virtconsole,chardev=serial0 -device ide-hd,drive=ide0-hd0,bus=ide.0",
  "-nic user,id=n -device e1000,netdev=n",
  "-readconfig /a.cfg -device e1000,netdev=n,bus=rp9",
])("%s does not", (args) => expect(clashesIn(words(args))).toEqual([]));

test.each(SAMPLES.filter(({ json }) => json !== null))("$name, which people start machines with, has none", ({ json }) => {
  expect(clashesIn((JSON.parse(json ?? "") as { readonly args?: readonly string[] }).args ?? [])).toEqual([]);
});

test("ids that stand twice are told apart from the rest, which another file may make right", () => {
  expect(idsTwice(words("-netdev user,id=n -netdev user,id=n -device e1000,netdev=m"))).toEqual(["there are two of network backend n"]);
});
