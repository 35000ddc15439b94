/** QEMU's command line as a list of options; no word is changed. Source: qemu-options.hx, read from `qemu-system-* -help`. */

/** One option as typed: `name` has no dashes; `value` is its argument, if it takes one. A bare word (a disk image) has the name "". */
export interface Option {
  readonly name: string;
  readonly words: readonly string[];
  readonly value: string | undefined;
}

/** The options that take no argument in any QEMU from 5.2 to 11.1. Every other option takes exactly one. */
const FLAGS = new Set(
  `h help version S s snapshot daemonize nographic nodefaults no-user-config nouserconfig no-reboot no-shutdown no-acpi no-hpet no-fd-bootchk
  full-screen no-frame alt-grab ctrl-grab no-quit show-cursor sdl curses usb portrait singlestep mem-prealloc preconfig win2k-hack
  rtc-td-hack enable-kvm enable-hax enable-fips enable-sync-profile only-migratable old-param semihosting xen-attach xen-domid-restrict
  async-teardown audio-help jitdump perfmap no-kvm no-kvm-irqchip no-kvm-pit no-kvm-pit-reinjection`.split(/\s+/),
);

/** Splits a list of arguments (without the emulator) as QEMU does: `-x` and `--x` are the same, and an argument is always the next word. */
export function splitOptions(args: readonly string[]): readonly Option[] {
  const options: Option[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    const name = /^--?(.+)$/s.exec(word)?.[1];
    const value = name === undefined || FLAGS.has(name) ? undefined : args[at + 1];
    options.push({ name: name ?? "", words: value === undefined ? [word] : [word, value], value });
    if (value !== undefined) at++;
  }
  return options;
}

/**
 * Reads QEMU's `key=value,key=value`; a doubled comma is a comma of the value. The first item may leave out its key, which is then `first`.
 * Any other item without a value is a switch: `on`, or `off` if it begins with `no`. If a key is given twice, the last one counts, as in
 * QEMU.
 */
export function parseKeyValues(text: string, first: string): ReadonlyMap<string, string> {
  const items = text
    .replaceAll(",,", "\0")
    .split(",")
    .map((item) => item.replaceAll("\0", ","));
  const values = new Map<string, string>();
  items.forEach((item, index) => {
    const equals = item.indexOf("=");
    if (equals >= 0) values.set(item.slice(0, equals), item.slice(equals + 1));
    else if (index === 0 && item !== "") values.set(first, item);
    else if (item.startsWith("no") && item.length > 2) values.set(item.slice(2), "off");
    else if (item !== "") values.set(item, "on");
  });
  return values;
}

/** Doubles the commas of a value, as QEMU wants them inside `key=value` lists. */
export function escapeCommas(text: string): string {
  return text.replaceAll(",", ",,");
}
