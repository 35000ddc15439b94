import { isJson, isMachine, itemsOf, machineTypeOf, valuesOf } from "./option-values.ts";
import type { Option } from "./options.ts";

/** An option that stands in the way of a machine that is started from its config and runs, and what to do about it. */
export interface Obstacle {
  readonly option: Option;
  readonly why: string;
  readonly expected: string;
  /** It tells how a machine came to be: of one that runs already it is over. */
  readonly once: boolean;
}

/** Options whose argument `help` (or `?`) has QEMU print a list and end. For others it is a name or a file. */
const LISTS: ReadonlySet<string> = new Set(
  `machine M cpu device object chardev netdev nic net accel d trace audiodev audio display drive vga watchdog soundhw rtc smp boot L global
  tpmdev vnc spice overcommit msg`.split(/\s+/),
);
/** Those of them that list what is behind a driver too: `virtio-net-pci,help`. */
const DETAILS: ReadonlySet<string> = new Set(["machine", "M", "device", "object", "chardev", "netdev", "nic", "audiodev"]);
const ENDINGS: ReadonlySet<string> = new Set(["h", "help", "?", "version", "audio-help", "dump-vmstate"]);

type Reason = Omit<Obstacle, "option">;

const LISTING: Reason = {
  why: "QEMU prints and ends: that starts no machine",
  expected: "the command line of a machine, without it",
  once: false,
};
const INCOMING: Reason = {
  why: "QEMU waits for the state of another machine, which a start from a config can't bring",
  expected: "the command line without it; a QEMU that has its state already is adopted by its pid (define --pid)",
  once: true,
};
const PRECONFIG: Reason = {
  why: "QEMU waits to be configured by somebody else before there is a machine",
  expected: "the command line without it",
  once: true,
};
const NO_MACHINE: Reason = {
  why: "a machine without memory and vCPUs has nothing to be changed",
  expected: "another machine type",
  once: false,
};

/** Every option of a command line that starts no machine, or one that waits for a state which only somebody else can bring. */
export function obstaclesIn(options: readonly Option[]): readonly Obstacle[] {
  const isNone = machineTypeOf(options) === "none";
  const isNoMachine = (option: Option): boolean => isNone && isMachine(option) && valuesOf(option, "type").get("type") === "none";
  return options.flatMap((option) => {
    const { name } = option;
    const once = name === "incoming" ? INCOMING : name === "preconfig" ? PRECONFIG : undefined;
    const reason = once ?? (asksForHelp(option) ? LISTING : isNoMachine(option) ? NO_MACHINE : undefined);
    return reason === undefined ? [] : [{ option, ...reason }];
  });
}

function asksForHelp(option: Option): boolean {
  const { name, value } = option;
  if (ENDINGS.has(name)) return true;
  if (value === undefined || !LISTS.has(name)) return false;
  if (isHelp(value)) return true;
  if (isMachine(option) && valuesOf(option, "type").has("dumpdtb")) return true;
  if (isJson(value)) return false;
  const items = itemsOf(value);
  return DETAILS.has(name) ? items.slice(1).some(isHelp) : name === "drive" && items.includes("format=help");
}

function isHelp(word: string): boolean {
  return word === "help" || word === "?";
}
