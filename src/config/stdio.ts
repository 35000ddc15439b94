import { valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** Options whose argument is a character device in short form: `stdio`, `mon:stdio`, `chardev:ID`, … */
const SHORT: ReadonlySet<string> = new Set(["serial", "monitor", "parallel", "debugcon", "gdb", "qmp", "qmp-pretty"]);

/** Whether a machine uses its QEMU's stdin and stdout, as a console or a monitor. */
export function usesStdio(args: readonly string[]): boolean {
  return splitOptions(args).some(isStdio);
}

/** Whether a machine may use them: a file of `-readconfig` is not read, so it may. */
export function mayUseStdio(args: readonly string[]): boolean {
  return splitOptions(args).some((option) => option.name === "readconfig" || isStdio(option));
}

/** Whether an option connects something to stdin and stdout. */
export function isStdio(option: Option): boolean {
  const { name, value = "" } = option;
  if (name === "nographic") return true;
  if (SHORT.has(name)) return /^(mon:)?stdio(,|$)/.test(value);
  if (name !== "chardev") return false;
  const values = valuesOf(option, "backend");
  return [values.get("backend"), values.get("backend.type")].includes("stdio");
}

/** Whether an option draws the guest's screen in a terminal. A machine in the background has none. */
export function needsTerminal({ name, value = "" }: Option): boolean {
  return name === "curses" || (name === "display" && /^(type=)?curses(,|$)/.test(value));
}
