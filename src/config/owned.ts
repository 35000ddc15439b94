import type { ConfigIssue } from "./config-error.ts";
import { type Option, parseKeyValues, splitOptions } from "./options.ts";

/** The ids of the two monitors that every machine of ours has: one for changes, one for those who only watch. */
export const CONTROL_ID = "qmpctl-control";
/** See CONTROL_ID. */
export const WATCH_ID = "qmpctl-watch";
/** The id of the monitor at the config's own `monitor` path. */
export const OWN_ID = "qmpctl-own";

/** What to write instead of an option that the config's structure owns. */
const OWNED: ReadonlyMap<string, string> = new Map([
  ["m", 'the key "memory" instead ("max", "current", "hotplug")'],
  ["smp", 'the key "vcpus" instead ("max", "current", "topology")'],
  ["name", 'the key "name" instead'],
  ["qmp", 'the key "monitor" with the path of a Unix socket instead'],
  ["qmp-pretty", 'the key "monitor" with the path of a Unix socket instead'],
  ["pidfile", "nothing: start keeps the pidfile in the run-time folder"],
  ["daemonize", "nothing: start puts the machine in the background itself"],
  ["S", "nothing: start launches the machine stopped and lets it go itself"],
]);

const NO_TERMINAL = "nothing that needs a terminal, as start puts the machine in the background";

/** Every option of `args` that the structure owns, or that a machine in the background can't have, with what to write instead. */
export function ownedOptions(args: readonly string[]): readonly ConfigIssue[] {
  return splitOptions(args).flatMap((option) => {
    const expected = OWNED.get(option.name) ?? terminalProblem(option) ?? idProblem(option);
    return expected === undefined ? [] : [{ path: "args", value: option.words.join(" "), expected }];
  });
}

/** QEMU refuses these together with -daemonize, and only when it starts: better said when the config is read. */
export function terminalProblem({ name, value }: Option): string | undefined {
  if (name === "nographic") return `${NO_TERMINAL}: -display none, and -serial file:PATH for the console`;
  if (name === "curses" || (name === "display" && /^curses\b/.test(value ?? ""))) return `${NO_TERMINAL}: -display none or -vnc`;
  if (["serial", "monitor", "parallel", "debugcon"].includes(name) && /^(mon:)?stdio$/.test(value ?? "")) return `${NO_TERMINAL}: -${name} file:PATH or unix:PATH,server=on,wait=off`;
  return undefined;
}

function idProblem({ name, value = "" }: Option): string | undefined {
  if (name !== "chardev" && name !== "mon") return undefined;
  const id = parseKeyValues(value, name === "mon" ? "chardev" : "backend");
  return [id.get("id"), id.get("chardev")].some((each) => each?.startsWith("qmpctl-")) ? 'an id that does not begin with "qmpctl-": those are of the monitors that start adds' : undefined;
}
