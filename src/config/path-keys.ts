/**
 * Which words of QEMU's command line name files, and how. QEMU can't be asked: `query-command-line-options` has the keys, but not their
 * meaning. Source: QEMU's own descriptions (`-help`, `-device TYPE,help`, `-object TYPE,help`, the schema's BlockdevOptions and Chardev
 * types; 5.2 to 11.1). It is never guessed from how a value looks.
 */

/**
 * How a value names a file.
 *
 * - `file`: a path and nothing else
 * - `searched`: a path, or if there is no such file, a name in QEMU's own folders
 * - `image`: a path, or a protocol with its own syntax (`nbd:…`, `fat:rw:FOLDER`)
 * - `files`: paths with colons between them
 * - `script`: a path, or `no`
 * - `helper`: a program, or a command line for a shell
 * - `device`: a character device, as for `-serial` (`file:PATH`, `unix:PATH,server=on`)
 * - `peer`: where a migration or a screen comes in (`unix:PATH`, `file:PATH,offset=0`)
 */
export type PathKind = "file" | "searched" | "image" | "files" | "script" | "helper" | "device" | "peer";

/** The values of an option by their keys; keys of nested objects contain dots. */
export type Values = ReadonlyMap<string, string>;

/** Options whose whole argument names a file; "" is a bare word, a disk image. */
const WHOLE: ReadonlyMap<string, PathKind> = new Map([
  ...each("file", "kernel initrd shim dtb L D pidfile readconfig writeconfig mem-path chroot qtest-log dump-vmstate"),
  ...each("searched", "bios"),
  ...each("image", "hda hdb hdc hdd cdrom fda fdb sd mtdblock pflash"),
  ["", "image"],
  ...each("device", "serial parallel monitor debugcon qmp qmp-pretty gdb qtest"),
  ...each("peer", "incoming vnc"),
]);

/** The key of an option's first value, if the value has none. */
const FIRST: Readonly<Record<string, string>> = {
  chardev: "backend",
  netdev: "type",
  nic: "type",
  net: "type",
  fsdev: "fsdriver",
  virtfs: "fsdriver",
  tpmdev: "type",
  object: "qom-type",
  device: "driver",
  machine: "type",
  M: "type",
  accel: "accel",
  boot: "order",
  display: "type",
  audiodev: "driver",
  audio: "driver",
  fw_cfg: "name",
  icount: "shift",
  plugin: "file",
  trace: "enable",
  "option-rom": "romfile",
  blockdev: "driver",
};

/**
 * Keys that name files for every device of QEMU, and keys that do so for some devices only: elsewhere `dir` or `file` means something else.
 */
const DEVICE_KEYS: ReadonlyMap<string, PathKind> = new Map([
  ["romfile", "searched"],
  ...each("file", "sysfsdev evdev hidraw rootdir sdrfile frudatafile cdat pcap vhostdev hostdevice socket.path jsonfile"),
]);
const DEVICES: ReadonlyMap<string, readonly string[]> = new Map([
  ["loader", ["file"]],
  ["guest-loader", ["kernel", "initrd"]],
  ["ccid-card-emulated", ["db"]],
  ["u2f-emulated", ["dir", "cert", "privkey", "counter", "entropy"]],
]);

const TLS = ["dir"];
const OBJECTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["memory-backend-file", ["mem-path"]],
  ["rng-random", ["filename"]],
  ["authz-list-file", ["filename"]],
  ["filter-dump", ["file"]],
  ["secret", ["file"]],
  ["tls-creds-x509", TLS],
  ["tls-creds-psk", TLS],
  ["tls-creds-anon", TLS],
  ["tls-cipher-suites", TLS],
  ["sev-guest", ["dh-cert-file", "session-file", "sev-device"]],
  ["sev-snp-guest", ["sev-device"]],
  ["tdx-guest", ["quote-generation-socket.path"]],
  ["igvm-cfg", ["file"]],
  ["input-linux", ["evdev"]],
  ["pr-manager-helper", ["path"]],
  ["qtest", ["log"]],
  ["x-vfio-user-server", ["socket.path"]],
]);

/** Options with the same keys for all their types. */
const PLAIN: ReadonlyMap<string, ReadonlyMap<string, PathKind>> = new Map([
  ...["fsdev", "virtfs"].map((name) => [name, new Map(each("file", "path socket"))] as const),
  ...["netdev", "nic", "net"].map(
    (name) =>
      [
        name,
        new Map([...each("script", "script downscript"), ...each("helper", "helper"), ...each("file", "tftp smb sock vhostdev file")]),
      ] as const,
  ),
  ...["machine", "M"].map(
    (name) => [name, new Map([...each("file", "kernel initrd shim dtb dumpdtb"), ...each("searched", "firmware")])] as const,
  ),
  ["tpmdev", new Map(each("file", "path cancel-path"))],
  ["accel", new Map(each("file", "device"))],
  ["boot", new Map(each("searched", "splash"))],
  ["spice", new Map(each("file", "x509-dir x509-key-file x509-cert-file x509-cacert-file x509-dh-key-file rendernode"))],
  ["display", new Map(each("file", "rendernode"))],
  ["smbios", new Map(each("file", "file path"))],
  ["acpitable", new Map(each("files", "file data"))],
  ["fw_cfg", new Map(each("file", "file"))],
  ["icount", new Map(each("file", "rrfile"))],
  ["plugin", new Map(each("file", "file"))],
  ["trace", new Map(each("file", "events file"))],
  ["run-with", new Map(each("file", "chroot"))],
  ["option-rom", new Map(each("searched", "romfile"))],
]);

/** Character devices whose `path` is a file. The path of a socket is not, if it is in the abstract name space. */
const WITH_PATH: ReadonlySet<string> = new Set(["file", "pipe", "serial", "tty", "parallel", "parport", "socket", "pty"]);
/** Block drivers whose `path` is on this host. That of ssh or nfs is on the server. */
const LOCAL_BLOCK: ReadonlySet<string> = new Set([
  "nbd",
  "virtio-blk-vhost-user",
  "virtio-blk-vfio-pci",
  "virtio-blk-vhost-vdpa",
  "nvme-io_uring",
]);

/** How the whole argument of an option names a file; undefined if it does not. */
export function wholeKind(option: string): PathKind | undefined {
  return WHOLE.get(option);
}

/** The key that an option's first value has if it is left out. */
export function firstKey(option: string): string {
  return FIRST[option] ?? "";
}

/** How the value of a key names a file; undefined if it does not. `values` has all values of the option. */
export function keyKind(option: string, key: string, values: Values): PathKind | undefined {
  switch (option) {
    case "drive":
      return key === "file" ? "image" : blockKind(key, values);
    case "blockdev":
      return blockKind(key, values);
    case "chardev":
      return key === "logfile" ||
        key === "input-path" ||
        (key === "path" && isOnDisk(values, "") && WITH_PATH.has(values.get("backend") ?? ""))
        ? "file"
        : undefined;
    case "device":
      return DEVICE_KEYS.get(key) ?? (DEVICES.get(values.get("driver") ?? "")?.includes(key) === true ? "file" : undefined);
    case "object":
      return OBJECTS.get(values.get("qom-type") ?? "")?.includes(key) === true ? "file" : undefined;
    case "audiodev":
    case "audio":
      return (key === "path" && values.get("driver") === "wav") || (/^(in|out)\.dev$/.test(key) && values.get("driver") === "oss")
        ? "file"
        : undefined;
    case "spice":
      if (key === "addr") return isOn(values.get("unix")) ? "file" : undefined;
      break;
    case "netdev":
    case "nic":
    case "net": {
      const [, end] = /^(addr|local|remote)\.path$/.exec(key) ?? [];
      if (end !== undefined) return values.get(`${end}.type`) === "unix" && isOnDisk(values, `${end}.`) ? "file" : undefined;
    }
  }
  return PLAIN.get(option)?.get(key);
}

/** Handles a key of a block device, of one beneath it (`file.filename`), or of an object with dots in its place. */
function blockKind(key: string, values: Values): PathKind | undefined {
  const [, prefix = "", last = ""] = /^(.*\.)?([^.]+)$/s.exec(key) ?? [];
  const driver = values.get(`${prefix}driver`) ?? (prefix === "" ? values.get("format") : undefined) ?? "";
  if (last === "filename") return "file";
  if (last === "path") return /(^|\.)server\.(\d+\.)?$/.test(prefix) || LOCAL_BLOCK.has(driver) ? "file" : undefined;
  const [own] = { blkdebug: ["config"], rbd: ["conf"], vvfat: ["dir"] }[driver] ?? [];
  return own === last ? "file" : undefined;
}

function isOnDisk(values: Values, prefix: string): boolean {
  return !isOn(values.get(`${prefix}abstract`));
}

function isOn(value: string | undefined): boolean {
  return ["on", "yes", "true", "y"].includes(value ?? "");
}

function each(kind: PathKind, names: string): (readonly [string, PathKind])[] {
  return names.split(" ").map((name) => [name, kind] as const);
}
