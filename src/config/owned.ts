import type { ConfigIssue } from "./config-error.ts";
import { markOf } from "./mark.ts";
import { type Option, splitOptions } from "./options.ts";

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

/** Every option of `args` that the structure owns, or that a machine in the background can't have, with what to write instead. */
export function ownedOptions(args: readonly string[]): readonly ConfigIssue[] {
  return splitOptions(args).flatMap((option) => {
    const hint = withoutTerminal(option);
    const expected = (markOf([option]) === undefined ? OWNED.get(option.name) : 'the key "id" instead') ?? (hint === undefined ? undefined : `${hint} instead: a machine in the background has no terminal`);
    return expected === undefined ? [] : [{ path: "args", value: option.words.join(" "), expected }];
  });
}

/** What to write instead of an option that needs a terminal. QEMU refuses those together with -daemonize, and only when it starts: better said when the config is read. */
export function withoutTerminal({ name, value = "" }: Option): string | undefined {
  if (name === "nographic") return "-display none, and -serial file:PATH for the console,";
  if (name === "curses" || (name === "display" && /^curses\b/.test(value))) return "-display none or -vnc";
  if (["serial", "monitor", "parallel", "debugcon"].includes(name) && /^(mon:)?stdio$/.test(value)) return `-${name} file:PATH or unix:PATH,server=on,wait=off`;
  if (name === "chardev" && /^(backend=)?stdio(,|$)/.test(value)) return "-chardev with null, file or socket";
  return undefined;
}
