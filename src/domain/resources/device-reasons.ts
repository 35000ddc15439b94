import { clashesIn } from "../../config/args-clashes.ts";
import type { DeviceWords } from "../../config/device-words-text.ts";
import { deviceValues, idOf } from "../../config/device-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { machineTypeOf } from "../../config/option-values.ts";
import { splitOptions } from "../../config/options.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { type Reason, when } from "./resource.ts";

/** Devices that other resources own, and the verb that is for them. */
const OWNED: readonly (readonly [RegExp, string])[] = [
  [/-cpu$|-spapr-cpu-core$/, "setvcpus, which plugs and unplugs vCPUs"],
  [/^pc-dimm/, "plugmem and unplugmem, which plug and unplug DIMMs"],
  [/^(nvdimm|virtio-pmem)/, "persistent memory is not plugged here: it can stand in args"],
  [/^virtio-mem/, "setmem, which is for the memory of the guest"],
  [/^virtio-balloon/, "setmem, which works by the balloon: it is part of the machine from its start"],
];

/** Whether another resource owns devices of this driver. */
export function isOwned(driver: string): boolean {
  return OWNED.some(([drivers]) => drivers.test(driver));
}

/** Why a device of this driver is not for this resource. */
export function ownerReasons(driver: string, id: string): readonly Reason[] {
  const owner = OWNED.find(([drivers]) => drivers.test(driver));
  return owner === undefined ? [] : [{ reason: `device ${id} is a ${driver}, which has a verb of its own`, instead: owner[1] }];
}

/** Why a device can't be unplugged that carries others. */
export function carrierReasons(id: string, on: readonly string[]): readonly Reason[] {
  return when(on.length > 0, () => ({
    reason: `device ${id} carries ${on.join(", ")} on its bus`,
    instead: `qmpctl detach of ${on.join(", ")} first`,
  }));
}

/** Drivers that can be plugged into a running machine. What is not here is part of the machine from its start. */
const PLUGGABLE =
  /^(virtio-\S+-pci\S*|vhost-\S+-pci\S*|e1000\S*|igb|rtl8139|vmxnet3|ne2k_pci|pcnet|i8255\S+|nvme\S*|scsi-(hd|cd|block|generic)|usb-\S+|\S+-xhci|virtserialport|virtconsole|vfio-pci\S*|megasas\S*|lsi\S+|mptsas\S+|pvscsi|AC97|intel-hda|ivshmem\S*|edu|sdhci-pci)$/;
/** Of these, what stands on a bus of its own kind. */
const NOT_PCI = /^(scsi-|usb-|virtserialport|virtconsole|nvme-ns)/;

/** Why a running machine can't have a device plugged. */
export function attachReasons(words: DeviceWords, { live, config }: LiveFacts): readonly Reason[] {
  const { id, driver, backends, device } = words;
  const drive = backends.find(({ name }) => name === "drive");
  const bus = deviceValues(device).get("bus");
  return [
    ...ownerReasons(driver, id),
    ...when(live.devices?.has(id) === true, () => ({
      reason: `the running machine has another device ${id} (${live.devices?.get(id)})`,
      instead: `another id, or qmpctl detach of ${id} first`,
    })),
    ...when(drive !== undefined, () => ({
      reason: `-drive ${drive?.value} can't be given to a running machine: QEMU takes block nodes`,
      instead: asBlockdev(drive?.value ?? ""),
    })),
    ...when(!PLUGGABLE.test(driver) && !isOwned(driver), () => ({
      reason: `${driver} is no device that can be plugged into a running machine`,
      instead: `another one (${config?.emulator ?? "qemu-system-x86_64"} -device help lists those that it has), or --static, for the next start`,
    })),
    ...(PLUGGABLE.test(driver) && !NOT_PCI.test(driver) ? busReasons(bus, live, config) : []),
  ];
}

/** The words of another port, with an id and a number that the machine has not used. */
function portToAdd({ devices = new Map<string, string>() }: LiveFacts["live"], config: LaunchConfig | null): string {
  const args = config === null ? [] : splitOptions(config.args).filter(({ name }) => name === "device");
  const used = new Set([...devices.keys(), ...args.map(idOf)]);
  const chassis = new Set(args.map((option) => Number(deviceValues(option).get("chassis"))));
  let n = 1;
  while (used.has(`rp${n}`) || chassis.has(n)) n++;
  return `add "-device", "pcie-root-port,id=rp${n},chassis=${n},slot=${n}" to args for the next start, and then bus=rp${n}`;
}

/** Why the next start would fail with the words of a device. */
export function startReasons(before: readonly string[], after: readonly string[]): readonly Reason[] {
  const known = clashesIn(before);
  return clashesIn(after)
    .filter((clash) => !known.includes(clash))
    .map((clash) => ({ reason: `the next start would fail: ${clash}`, instead: "another id, backend, or bus in the words of the device" }));
}

/**
 * Before its guest has started, nobody hears that a PCI device is to go: the guest never learns of it, and QEMU takes no second request, so
 * the device stays until a reset (measured on 5.2, 7.2, 10.0 and 11.1). Other buses let go by themselves.
 */
export function leavingReasons(id: string, driver: string, { status }: Live, name: string): readonly Reason[] {
  return when(status === "prelaunch" && !NOT_PCI.test(driver), () => ({
    reason: `the guest has not started yet, so it can't let go of device ${id}, and would never hear of it`,
    instead: `qmpctl resume ${shellWord(name)} and wait until it is up, or qmpctl detach ${shellWord(name)} ${id} --static`,
  }));
}

/** A PCI Express machine has one port for each device that is plugged later. */
function busReasons(bus: string | undefined, live: LiveFacts["live"], config: LaunchConfig | null): readonly Reason[] {
  const { ports = [] } = live;
  const free = ports.filter(({ devices }) => devices.length === 0).map(({ id }) => id);
  const [first] = free;
  const instead =
    first === undefined
      ? portToAdd(live, config)
      : `bus=${first}, which is free${free.length === 1 ? "" : `, as ${free.slice(1).join(", ")}`}`;
  const port = ports.find(({ id }) => id === bus);
  if (port !== undefined)
    return when(port.devices.length > 0, () => ({ reason: `port ${bus} is taken by ${port.devices.join(", ")}`, instead }));
  const isExpress = ports.length > 0 || /q35|^virt\b/.test((config === null ? undefined : machineTypeOf(splitOptions(config.args))) ?? "");
  return when(isExpress && (bus === undefined || bus === "pcie.0"), () => ({
    reason: `a device can't be plugged into pcie.0, the root bus of this machine${ports.length === 0 ? ", and it has no port for one" : ""}`,
    instead,
  }));
}

/** The words of a drive as those of a block node, as far as it is a plain image. */
function asBlockdev(value: string): string {
  const values = deviceValues({ name: "drive", words: [], value });
  const [id, file, format] = ["id", "file", "format"].map((key) => values.get(key));
  if (id === undefined || file === undefined) return "-blockdev, with a node-name, and drive=NODE-NAME for the device";
  const escaped = file.replaceAll(",", ",,");
  return `-blockdev driver=${format ?? "raw"},node-name=${id},file.driver=file,file.filename=${escaped}`;
}
