import { resolve } from "node:path";
import { valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";
import { isStdio } from "./stdio.ts";

/** Where a guest's console can be read. */
export type ConsoleSource =
  /** `appends`: QEMU writes behind what is in the file from before. */
  | { readonly kind: "file"; readonly path: string; readonly appends: boolean }
  /** QEMU's own stdout, which a start puts into a file of the run-time folder. */
  | { readonly kind: "stdio" };

/** Options whose argument is a character device in short form, on which a guest writes. */
const CONSOLES: ReadonlySet<string> = new Set(["serial", "debugcon", "virtioconsole"]);

/**
 * Where the consoles of a machine can be read, by its args: `-serial file:…`, `stdio`, and the log of a character device (`logfile=`),
 * whatever that is. A terminal or a socket can't be read without taking it from whoever uses it. `folder`: where relative paths begin.
 */
export function consoleSources(args: readonly string[], folder: string): readonly ConsoleSource[] {
  const options = splitOptions(args);
  const used = options
    .filter(({ name }) => CONSOLES.has(name) || name === "device")
    .map((option) => (CONSOLES.has(option.name) ? /^chardev:(.+)$/s.exec(option.value ?? "")?.[1] : consoleOfDevice(option)))
    .filter((id) => id !== undefined);
  const found = options.flatMap((option) => sourceOf(option, new Set(used), folder));
  return options.some((option) => isStdio(option)) ? [...found, { kind: "stdio" }] : found;
}

/** Devices that are consoles; a channel of an agent is none. */
function consoleOfDevice(option: Option): string | undefined {
  const values = valuesOf(option, "driver");
  return /^(isa-serial|pci-serial|usb-serial|virtconsole|isa-debugcon|sclpconsole)$/.test(values.get("driver") ?? "")
    ? values.get("chardev")
    : undefined;
}

function sourceOf({ name, value = "" }: Option, used: ReadonlySet<string>, folder: string): readonly ConsoleSource[] {
  if (CONSOLES.has(name)) return shortSource(value, folder);
  if (name !== "chardev") return [];
  const values = valuesOf({ value }, "backend");
  const isUsed = used.has(values.get("id") ?? "");
  const log = values.get("logfile");
  if (log !== undefined && isUsed) return [{ kind: "file", path: resolve(folder, log), appends: isOn(values.get("logappend")) }];
  const path = values.get("path");
  if (!isUsed || path === undefined) return [];
  if (values.get("backend") === "file") return [{ kind: "file", path: resolve(folder, path), appends: isOn(values.get("append")) }];
  return [];
}

function shortSource(value: string, folder: string): readonly ConsoleSource[] {
  const file = /^file:(.+)$/s.exec(value)?.[1];
  return file === undefined ? [] : [{ kind: "file", path: resolve(folder, file), appends: false }];
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "off" && value !== "no";
}
