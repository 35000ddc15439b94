import { deviceValues, idOf } from "./device-words.ts";
import { type Option, splitOptions } from "./options.ts";

/**
 * What in a command line keeps QEMU from starting, as far as its words show it: an id that two have, a backend that nothing makes or that
 * two use, a port with two devices. Each is one short sentence; none where all is well.
 */
export function clashesIn(args: readonly string[]): readonly string[] {
  const options = splitOptions(args);
  const devices = options.filter(({ name }) => name === "device");
  const found = [...idsTwice(args), ...portsTakenTwice(devices), ...slotsTakenTwice(devices), ...usedTwice(options, devices)];
  // What a file of -readconfig makes is not known here.
  return options.some(({ name }) => name === "readconfig") ? found : [...found, ...missing(options, devices)];
}

/** The name spaces of ids: in each, an id stands once. Of drives and nodes together, as QEMU looks either up by it. */
const SPACES: readonly (readonly [word: string, names: readonly string[]])[] = [
  ["device", ["device"]],
  ["network backend", ["netdev"]],
  ["drive or block node", ["drive", "blockdev"]],
  ["character device", ["chardev"]],
  ["object", ["object"]],
];

/** The ids that a command line gives twice, which no QEMU starts with: one short sentence for each. */
export function idsTwice(args: readonly string[]): readonly string[] {
  const options = splitOptions(args);
  return SPACES.flatMap(([word, names]) => {
    const ids = options.filter(({ name }) => names.includes(name)).flatMap((option) => idOf(option) ?? []);
    return repeated(ids).map((id) => `there are two of ${word} ${id}`);
  });
}

function repeated(all: readonly string[]): readonly string[] {
  return [...new Set(all.filter((each, position) => all.indexOf(each) !== position))];
}

/** Drivers of ports for one PCI Express device each. */
const PORT = /root-port|ioh3420|downstream/;

function portsIn(devices: readonly Option[]): readonly Option[] {
  return devices.filter((device) => PORT.test(deviceValues(device).get("driver") ?? ""));
}

function portsTakenTwice(devices: readonly Option[]): readonly string[] {
  const ports = new Set(portsIn(devices).map(idOf));
  // A device of several functions says so by its address.
  const plain = devices.map(deviceValues).filter((values) => !values.has("addr") && !values.has("multifunction"));
  const taken = plain.flatMap((values) => values.get("bus") ?? []).filter((bus) => ports.has(bus));
  return repeated(taken).map((port) => `two devices are on port ${port}, which has room for one`);
}

/** Which chassis and slot of it a port is in: no two are in one. */
function placeOf(port: Option): string {
  const values = deviceValues(port);
  return `chassis ${Number(values.get("chassis") ?? 0)}, slot ${Number(values.get("slot") ?? 0)}`;
}

function slotsTakenTwice(devices: readonly Option[]): readonly string[] {
  return repeated(portsIn(devices).map(placeOf)).map((place) => `two ports are in ${place}`);
}

/** A card has its network to itself. A drive too; a block node only if nobody says otherwise. */
function usedTwice(options: readonly Option[], devices: readonly Option[]): readonly string[] {
  const networks = devices.flatMap((device) => deviceValues(device).get("netdev") ?? []);
  const shared = new Set(options.filter(isReadOnly).map(idOf));
  const drives = devices
    .map(deviceValues)
    .filter((values) => values.get("share-rw") !== "on" && !/-cd$/.test(values.get("driver") ?? ""))
    .flatMap((values) => values.get("drive") ?? [])
    .filter((drive) => !shared.has(drive));
  return [
    ...repeated(networks).map((id) => `two devices use network ${id}`),
    ...repeated(drives).map((id) => `two devices use drive ${id}`),
  ];
}

function isReadOnly(option: Option): boolean {
  const values = deviceValues(option);
  return [values.get("read-only"), values.get("readonly")].some((value) => value === "on" || value === "true");
}

/** Names that QEMU gives by itself, as ide0-hd0 or serial0. */
const OWN = /^(ide|scsi|sata|virtio|floppy|sd|pflash|mtd|none|serial|parallel|compat_monitor|gdb|mon|con|hub|nd_table|vc)\d*/;

/** What makes the things that a device names. */
const MAKERS: Readonly<Record<string, readonly string[]>> = {
  drive: ["drive", "blockdev"],
  netdev: ["netdev", "nic", "net"],
  chardev: ["chardev"],
};

function missing(options: readonly Option[], devices: readonly Option[]): readonly string[] {
  const made = new Map(Object.entries(MAKERS).map(([key, makers]) => [key, namesMadeBy(options, makers)]));
  const onBus = new Set(devices.map(idOf));
  return devices.flatMap((device) => {
    const values = deviceValues(device);
    const bus = values.get("bus") ?? "";
    return [
      ...[...made].flatMap(([key, names]) => {
        const name = values.get(key) ?? "";
        return name === "" || names.has(name) || OWN.test(name) ? [] : [`nothing makes ${key} ${name}, which ${wordFor(device)} uses`];
      }),
      // Others are QEMU's own, or those of a device with several: pci.0, scsi0.0.
      ...(/^[A-Za-z][\w-]*$/.test(bus) && !onBus.has(bus) && !OWN_BUS.test(bus)
        ? [`there is no ${bus}, whose bus ${wordFor(device)} is on`]
        : []),
    ];
  });
}

const OWN_BUS = /^(main-system-bus|sysbus|pci|pcie|isa|usb-bus|ide|scsi|i2c|spi)/;

function wordFor(device: Option): string {
  const values = deviceValues(device);
  return `device ${values.get("id") ?? values.get("driver") ?? "without a driver"}`;
}

/** The ids of what these options make; the nodes within a block node too. */
function namesMadeBy(options: readonly Option[], makers: readonly string[]): ReadonlySet<string> {
  return new Set(
    options
      .filter(({ name }) => makers.includes(name))
      .flatMap((option) => [...deviceValues(option)].flatMap(([key, value]) => (/(^|\.)(id|node-name)$/.test(key) ? [value] : []))),
  );
}
