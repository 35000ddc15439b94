import type { ConfigIssue } from "./config-error.ts";
import { markOf } from "./mark.ts";
import { isMachine, itemsOf, keyOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";
import { needsTerminal } from "./stdio.ts";
import { obstaclesIn } from "./unstarted.ts";

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

/** What to write instead of a screen in a terminal. */
const WITHOUT_TERMINAL = "-display none or -vnc instead: a machine in the background has no terminal";

/**
 * Every option of `args` that the config's structure owns, or that a machine started from a config can't have, with what to write instead.
 */
export function ownedOptions(args: readonly string[]): readonly ConfigIssue[] {
  const options = splitOptions(args);
  const issue = ({ words }: Option, expected: string): ConfigIssue => ({ path: "args", value: words.join(" "), expected });
  const owned = options.flatMap((option) => {
    const expected = ownerOf(option);
    return expected === undefined ? [] : [issue(option, expected)];
  });
  return [...owned, ...obstaclesIn(options).map(({ option, why }) => issue(option, `no such option: ${why}`))];
}

function ownerOf(option: Option): string | undefined {
  if (markOf([option]) !== undefined) return 'the key "id" instead';
  if (needsTerminal(option)) return WITHOUT_TERMINAL;
  const key = sizeKeyOf(option);
  return key === undefined ? OWNED.get(option.name) : OWNED.get(key);
}

/** The option that says the same as a property of `-machine`: `smp` for smp.cpus, `m` for memory.size. */
function sizeKeyOf(option: Option): "smp" | "m" | undefined {
  if (!isMachine(option)) return undefined;
  const keys = itemsOf(option.value ?? "").map(keyOf);
  return keys.some((key) => key.startsWith("smp.")) ? "smp" : keys.some((key) => key.startsWith("memory.")) ? "m" : undefined;
}
