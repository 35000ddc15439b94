import { isJson, isMachine, itemsOf, machineTypeOf, valuesOf } from "./option-values.ts";
import type { Option } from "./options.ts";

/** An option that a machine which is started from a config and then runs can't have, and what to do about it. */
export interface Obstacle {
  readonly option: Option;
  readonly why: string;
  readonly expected: string;
  /** The option says how a machine came to be. For a machine that runs already, it no longer matters. */
  readonly once: boolean;
}

/** Options for which QEMU prints a list and ends if their argument is `help` (or `?`). For other options that is a name or a file. */
const LISTS: ReadonlySet<string> = new Set(
  `machine M cpu device object chardev netdev nic net accel d trace audiodev audio display drive vga watchdog soundhw rtc smp boot L global
  tpmdev vnc spice overcommit msg`.split(/\s+/),
);
/** Those of them that also list the properties of a driver: `virtio-net-pci,help`. */
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

/** Every option of a command line that starts no machine, or a machine that waits for something that only others can give it. */
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
