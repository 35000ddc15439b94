import { valuesOf } from "./option-values.ts";
import type { Option } from "./options.ts";

/** With any of these options QEMU does not open a human monitor by itself. A start always has one of them, because it adds QMP monitors. */
const IN_ITS_PLACE: ReadonlySet<string> = new Set(["nodefaults", "monitor", "mon", "qmp", "qmp-pretty"]);

/** Options with a port that can have a monitor on it: `-serial mon:stdio`. */
const PORTS: ReadonlySet<string> = new Set(["serial", "parallel"]);

/**
 * Options that open the human monitor which a command line has by default, if somebody can reach it: on the serial console of `-nographic`
 * (Ctrl-A c), or as a text screen of a display (Ctrl-Alt-2). Measured, 5.2 to 11.1.
 */
export function defaultMonitor(options: readonly Option[]): readonly Option[] {
  const isInItsPlace = ({ name, value = "" }: Option): boolean => IN_ITS_PLACE.has(name) || (PORTS.has(name) && value.startsWith("mon:"));
  if (options.some(isInItsPlace)) return [];
  const isText = options.some(({ name }) => name === "nographic");
  if (isText) return [options.some(isSerial) ? optionOf("monitor", "stdio") : optionOf("serial", "mon:stdio")];
  return options.some(hasTextScreens) ? [optionOf("monitor", "vc:80Cx24C")] : [];
}

function isSerial(option: Option): boolean {
  return option.name === "serial" || (option.name === "device" && valuesOf(option, "driver").get("driver") === "isa-serial");
}

function hasTextScreens({ name, value = "" }: Option): boolean {
  if (name === "display") return !/^(type=)?(none|curses|egl-headless)(,|$)/.test(value);
  return name === "sdl" || name === "gtk" || (name === "vnc" && value !== "none");
}

function optionOf(name: string, value: string): Option {
  return { name, words: [`-${name}`, value], value };
}
