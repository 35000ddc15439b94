import { parseSize, parseSizeOrNone } from "../../config/size.ts";
import { change, changeOptions, sizeOptions } from "../change.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** virsh's `update-memory-device` names a device and its size so. A bare number is KiB there. */
const DEVICE_OPTIONS = {
  alias: { about: "", value: "ID", hidden: true },
  "requested-size": { about: "", value: "SIZE", fills: "SIZE", unit: "KiB", hidden: true },
} as const;

export const verb: Verb = defineVerb({
  usage: ["setmem DOMAIN SIZE"],
  section: "memory",
  summary: "change how much memory the guest has",
  details: [
    "With a balloon, SIZE is what the balloon leaves the guest. With a virtio-mem device and no balloon, SIZE is all of the guest's memory, and the device gives what the machine does not have without it. With both, say which: --balloon or --device.",
    "The change is `applied` when the guest has the new size. It is `pending` if the guest has not finished by the deadline. A virtio-mem device keeps its target: a reset takes away what it gave, and the guest takes it again when its driver is up. memory.plugged of the config counts, even if args have a requested-size.",
    "The column host is what QEMU has in this host's RAM, for the guest and for itself, before and after. If that went down by clearly less than the guest gave up, a line says so, and why.",
  ],
  examples: [
    ["setmem web1 1536M --both", "1.5 GiB, now and at the next start"],
    ["setmem web1 2GiB --device vm0 --live", "2 GiB more than the machine has without that virtio-mem device"],
    ["setmem web1 512M --dry-run", "show what would be done"],
    ["setmem web1 4GiB --live --until 07:00", "until the morning, then what it was again"],
  ],
  options: {
    device: { about: "SIZE is what this virtio-mem device gives; 0 for nothing", value: "VIRTIO-MEM" },
    ...DEVICE_OPTIONS,
    balloon: { about: "SIZE is what the balloon leaves of the memory that is not virtio-mem" },
    ...changeOptions,
    ...sizeOptions,
  },
  operands: { names: ["DOMAIN", "SIZE"], required: 2 },
  async run(call) {
    const { args } = call;
    const id = args.text("device") ?? args.text("alias");
    if (id !== undefined && args.flag("balloon")) throw misuse("--device and --balloon: give only one", id, "--device ID, or --balloon");
    const word = args.operand(1);
    const size = id === undefined ? parseSize(word) : parseSizeOrNone(word);
    const wanted =
      id !== undefined
        ? ({ resource: "memory-plugged", id, size } as const)
        : args.flag("balloon")
          ? ({ resource: "memory", size } as const)
          : (await import("../../domain/resources/whole-memory.ts")).wholeMemory(size);
    return change(call, (domain, options) => domain.change(wanted, options));
  },
});
