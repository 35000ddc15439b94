import { realpath } from "node:fs/promises";
import { shellWord } from "../../domain/model/format.ts";
import { change, changeOptions } from "../change.ts";
import { mayHaveOtherFiles } from "../far-files.ts";
import { misuse } from "../options.ts";
import { noteLine } from "../output.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["attach DOMAIN [-blockdev WORDS] [-netdev WORDS] -device WORDS"],
  section: "disks",
  summary: "plug a device, given as on QEMU's command line",
  details: [
    "The words are QEMU's own, and so are the config's args, where --static writes them. What the device uses is made before it, and taken back if the device can't be plugged. A device without an id gets one.",
    "On a PCI Express machine (q35) each device needs a free port, as -device pcie-root-port,id=rp1,chassis=1,slot=1 in args, and bus=rp1.",
  ],
  examples: [
    ["attach web1 -device virtio-rng-pci,id=rng1,bus=rp1", "now"],
    ["attach web1 -netdev user,id=n1 -device virtio-net-pci,netdev=n1,id=nic1,bus=rp1 --both", "a network card, now and at the next start"],
    [
      "attach web1 -blockdev raw,node-name=d1,file.driver=file,file.filename=/d.img -device virtio-blk-pci,drive=d1,id=disk1,bus=rp2",
      "a disk, now",
    ],
    ["attach web1 -device virtio-rng-pci,id=rng1,bus=rp1 --for 1h", "now, and detach it in an hour"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN"], required: 1, verbatim: true, ofQemu: ["device", "blockdev", "netdev", "drive"] },
  async run(call) {
    const domain = call.args.operand(0);
    const { words: given, relative, folder } = await withAbsolutePaths(call.args.verbatim ?? [], domain, call.facade.isElsewhere === true);
    const [{ readDeviceWords, withId }, { deviceText }] = await Promise.all([
      import("../../config/device-words-text.ts"),
      import("../../domain/resources/device-text.ts"),
    ]);
    if (given.length === 0) throw misuse("-device: missing", undefined, "-device DRIVER,id=ID");
    const words = withId(given);
    const device = readDeviceWords(words);
    const code = await change(call, (it, options) => it.change({ resource: "device", id: device.id, words: deviceText(device) }, options));
    const { stderr } = call.io;
    if (relative.length > 0)
      stderr.write(noteLine(`relative paths are meant from ${folder}, and are absolute now: ${relative.join(", ")}`, stderr.columns));
    if (words.join("\0") !== given.join("\0"))
      stderr.write(noteLine(`its id is ${device.id}: qmpctl detach ${shellWord(domain)} ${device.id} unplugs it`, stderr.columns));
    return code;
  },
});

/** A QEMU works in another folder than the user, but a QEMU on another host has other files. */
async function withAbsolutePaths(
  words: readonly string[],
  domain: string,
  isElsewhere: boolean,
): Promise<{ readonly words: readonly string[]; readonly relative: readonly string[]; readonly folder: string }> {
  const folder = await realpath(".");
  if (mayHaveOtherFiles(domain)) return { words, relative: [], folder };
  const { anchor } = await import("../../config/anchor.ts");
  const { argv, relative } = anchor(["", ...words], folder);
  if (isElsewhere && relative.length > 0)
    throw misuse(`${relative.join(", ")}: from here no folder of another host is known`, relative[0], "absolute paths of that host");
  return { words: argv.slice(1), relative, folder };
}
