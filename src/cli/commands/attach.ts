import { shellWord } from "../../domain/model/format.ts";
import { change, changeOptions } from "../change.ts";
import { misuse } from "../options.ts";
import { noteLine } from "../output.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["attach DOMAIN [-blockdev WORDS] [-netdev WORDS] -device WORDS"],
  section: "allocation",
  summary: "plug a device, given as on QEMU's command line",
  details: [
    "The words are QEMU's own, and so are the config's args, where --static writes them. What the device uses is made before it, and taken back if the device can't be plugged. A device without an id gets one.",
    "On a PCI Express machine (q35) each device needs a free port, as -device pcie-root-port,id=rp1,chassis=1,slot=1 in args, and bus=rp1.",
    "Examples: qmpctl attach web1 -blockdev raw,node-name=d1,file.driver=file,file.filename=/d.img -device virtio-blk-pci,drive=d1,id=disk1,bus=rp1; qmpctl attach web1 -netdev user,id=n1 -device virtio-net-pci,netdev=n1,id=nic1 --both",
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN"], required: 1, verbatim: true, ofQemu: ["device", "blockdev", "netdev", "drive"] },
  async run(call) {
    const given = call.args.verbatim ?? [];
    const [{ readDeviceWords, withId }, { deviceText }] = await Promise.all([
      import("../../config/device-words-text.ts"),
      import("../../domain/resources/device-text.ts"),
    ]);
    if (given.length === 0) throw misuse("-device: missing", undefined, "-device DRIVER,id=ID");
    const words = withId(given);
    const device = readDeviceWords(words);
    if (words.join("\0") !== given.join("\0"))
      call.io.stderr.write(noteLine(`the device has the id ${shellWord(device.id)}: qmpctl detach takes it`, call.io.stderr.columns));
    return change(call, (domain, options) => domain.change({ resource: "device", id: device.id, words: deviceText(device) }, options));
  },
});
