import { agentSocket } from "../../config/agent-socket.ts";
import { MARK_PREFIX, markOf } from "../../config/mark.ts";
import { type Option, parseKeyValues, splitOptions } from "../../config/options.ts";

/** One QMP monitor that a command line opens. */
export interface MonitorOption {
  /** The name of the socket's file without its ending, else `monitor0`, `monitor1`, … */
  readonly name: string;
  /** `unix:/path` or `tcp:host:port`. */
  readonly address: string;
  /** The words of the option. QEMU begins its complaints with them. */
  readonly words: string;
  /** The option that has its address. The recorder replaces that value. */
  readonly option: Option;
}

/** What the emulators of this package read from QEMU's command line. */
export interface EmulatorOptions {
  readonly monitors: readonly MonitorOption[];
  /** The path at which clients reach the guest's agent, if the machine has a channel for one. */
  readonly agent: string | undefined;
  readonly pidfile: string | undefined;
  readonly log: string | undefined;
  readonly daemonize: boolean;
  readonly version: boolean;
  readonly replay: string | undefined;
  /** The mark that qmpctl puts on a machine's command line: the name of an object, with the machine's id in it. */
  readonly mark: string | undefined;
  /** `-m` and `-smp` as typed, to compare with the recording. */
  readonly machine: Readonly<Record<string, string>>;
}

/** QEMU would not start with this command line. The message is QEMU's, without its name before it. */
export class EmulatorRefusal extends Error {}

/**
 * Reads the options that matter here; all others are taken to be right.
 *
 * @throws EmulatorRefusal, in the words of QEMU 7.2 and 10.0, for a missing argument, sizes and counts that contradict each other, a
 *   monitor without its chardev, or a path that is too long
 */
export function readEmulatorOptions(args: readonly string[]): EmulatorOptions {
  const options = splitOptions(args);
  const value = (name: string): string | undefined => options.findLast((it) => it.name === name)?.value;
  const flag = (name: string): boolean => options.some((it) => it.name === name);
  const [memory, vcpus] = [value("m"), value("smp")];
  for (const option of options) checkArgument(option);
  if (memory !== undefined) checkMemory(memory);
  if (vcpus !== undefined) checkVcpus(vcpus);
  return {
    monitors: monitorsOf(options),
    agent: agentSocket(options),
    pidfile: value("pidfile"),
    log: value("D"),
    daemonize: flag("daemonize"),
    version: flag("version"),
    replay: value("replay"),
    mark: markIn(options),
    machine: { ...(memory === undefined ? {} : { "-m": memory }), ...(vcpus === undefined ? {} : { "-smp": vcpus }) },
  };
}

/** The name of the object that marks a machine on a command line; undefined if there is none. */
export function markIn(options: readonly Option[]): string | undefined {
  const mark = markOf(options);
  return mark === undefined ? undefined : `${MARK_PREFIX}${mark.id}`;
}

const NEEDS_ARGUMENT: readonly string[] = [
  "m",
  "smp",
  "name",
  "chardev",
  "mon",
  "qmp",
  "pidfile",
  "D",
  "machine",
  "cpu",
  "device",
  "object",
  "replay",
];

function checkArgument(option: Option): void {
  if (option.value === undefined && NEEDS_ARGUMENT.includes(option.name))
    throw new EmulatorRefusal(`-${option.name}: requires an argument`);
}

function checkMemory(text: string): void {
  const values = parseKeyValues(text, "size");
  const size = bytesOf(values.get("size") ?? "128M", 1024 ** 2);
  if (size === undefined) {
    throw new EmulatorRefusal(
      `-m ${text}: Parameter 'size' expects a non-negative number below 2^64\nOptional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.`,
    );
  }
  const limit = bytesOf(values.get("maxmem") ?? "", 1);
  if (limit !== undefined && limit < size) {
    throw new EmulatorRefusal(
      `invalid value of maxmem: maximum memory size (0x${limit.toString(16)}) must be at least the initial memory size (0x${size.toString(16)})`,
    );
  }
}

function bytesOf(text: string, bare: number): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([bkmgtpe]?)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Math.round(Number(digits) * (unit === "" ? bare : 1024 ** "bkmgtpe".indexOf(unit.toLowerCase())));
}

function checkVcpus(text: string): void {
  const values = parseKeyValues(text, "cpus");
  const at = (key: string): number => Number(values.get(key) ?? "0");
  const given = ["sockets", "dies", "clusters", "cores", "threads"].filter((key) => at(key) > 0);
  const product = given.reduce((so_far, key) => so_far * at(key), 1);
  const max = at("maxcpus") || Math.max(at("cpus"), at("cpus") === 0 ? product : 0);
  const hierarchy = given.map((key) => `${key} (${at(key)})`).join(" * ");
  if (["sockets", "cores", "threads"].every((key) => at(key) > 0) && product !== max) {
    throw new EmulatorRefusal(`Invalid CPU topology: product of the hierarchy must match maxcpus: ${hierarchy} != maxcpus (${max})`);
  }
  if (at("cpus") > max) {
    throw new EmulatorRefusal(
      `Invalid CPU topology: maxcpus must be equal to or greater than smp: ${hierarchy || `sockets (1) * cores (${max}) * threads (1)`} == maxcpus (${max}) < smp_cpus (${at("cpus")})`,
    );
  }
}

function monitorsOf(options: readonly Option[]): readonly MonitorOption[] {
  const chardevs = new Map<string, Option>();
  for (const option of options.filter((it) => it.name === "chardev")) {
    const id = parseKeyValues(option.value ?? "", "backend").get("id") ?? "";
    if (chardevs.has(id)) throw new EmulatorRefusal(`${option.words.join(" ")}: Duplicate ID '${id}' for chardev`);
    chardevs.set(id, option);
  }
  const found = options.flatMap((option) => {
    if (option.name === "qmp" || option.name === "qmp-pretty") return [{ option, address: shorthandAddress(option) }];
    if (option.name !== "mon") return [];
    const values = parseKeyValues(option.value ?? "", "chardev");
    const chardev = chardevs.get(values.get("chardev") ?? "");
    if (chardev === undefined) throw new EmulatorRefusal(`${option.words.join(" ")}: chardev "${values.get("chardev") ?? ""}" not found`);
    return values.get("mode") === "control" ? [{ option: chardev, address: chardevAddress(chardev) }] : [];
  });
  return found.map(({ option, address }, index) => {
    const file = /([^/]+?)(?:\.[a-z]+)?$/.exec(address.startsWith("unix:") ? address : "")?.[1];
    return { name: file ?? `monitor${index}`, address: checkedAddress(address, option), words: option.words.join(" "), option };
  });
}

/** `unix:/path,server=on,wait=off`, as `-qmp` takes it. */
function shorthandAddress(option: Option): string {
  const [address = "", ...rest] = (option.value ?? "")
    .replaceAll(",,", "\0")
    .split(",")
    .map((it) => it.replaceAll("\0", ","));
  if (!/^(unix|tcp):/.test(address)) {
    throw new EmulatorRefusal(`${option.words.join(" ")}: '${address}' is not a valid char driver`);
  }
  return checkServer(
    option,
    rest.some((it) => /^server(=on)?$/.test(it)),
    address,
  );
}

function chardevAddress(option: Option): string {
  const values = parseKeyValues(option.value ?? "", "backend");
  const path = values.get("path");
  const address = path === undefined ? `tcp:${values.get("host") ?? "127.0.0.1"}:${values.get("port") ?? ""}` : `unix:${path}`;
  return checkServer(option, values.get("server") === "on", address);
}

function checkServer(option: Option, server: boolean, address: string): string {
  if (!server) throw new EmulatorRefusal(`${option.words.join(" ")}: a stand-in for QEMU only listens, it can't dial`);
  return address;
}

/** The longest path of a Unix socket, in bytes: `sun_path` of unix(7) without its closing zero. */
const LONGEST_PATH = 107;

function checkedAddress(address: string, option: Option): string {
  const path = address.startsWith("unix:") ? address.slice(5) : "";
  if (new TextEncoder().encode(path).length <= LONGEST_PATH) return address;
  throw new EmulatorRefusal(
    `${option.words.join(" ")}: UNIX socket path '${path}' is too long\nPath must be less than ${LONGEST_PATH + 1} bytes`,
  );
}
