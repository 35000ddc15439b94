import type { LaunchConfig } from "./launch.ts";
import { type Mark, markWords } from "./mark.ts";
import { escapeCommas, splitOptions } from "./options.ts";
import { pluggedByArgs } from "./plugged.ts";
import { LEVELS } from "./topology.ts";

/** Where a machine's run-time files go; absolute paths. */
export interface RuntimeFiles {
  /** The monitor that changes are made through. */
  readonly control: string;
  /** The monitor for those who only watch. */
  readonly watch: string;
  readonly pidfile: string;
}

/** Options that decide what the guest's screen is shown on. Without any of them QEMU would look for a desktop. */
const DISPLAYS = ["display", "nographic", "vnc", "spice", "sdl", "gtk"];

/**
 * The command line that starts a machine, in words, the emulator first: nothing of it is for a shell. The machine starts stopped, with
 * `vcpus.current` vCPUs and `memory.max` of RAM; pins and the balloon's target are for later. QEMU 5.2 takes it too. Without `-daemonize`:
 * QEMU's
 * sandbox forbids it the fork, its warnings would be lost, and nobody would learn how it ended.
 */
export function toCommandLine(config: LaunchConfig, files: RuntimeFiles, mark: Mark): string[] {
  const given = new Set(splitOptions(config.args).map(({ name }) => name));
  return [
    config.emulator,
    ...["-name", `guest=${config.name},debug-threads=on`],
    ...["-m", memory(config.memory)],
    ...["-smp", vcpus(config)],
    ...monitor(files.control),
    ...monitor(files.watch),
    ...(config.monitor === undefined ? [] : monitor(config.monitor)),
    ...["-pidfile", files.pidfile],
    ...markWords(mark),
    // Why the machine ends is written down where its last words are. With a log (-D) or a trace of one's own it would go there.
    ...(given.has("D") || given.has("trace") ? [] : ["-trace", "qemu_system_shutdown_request"]),
    ...(DISPLAYS.some((option) => given.has(option)) ? [] : ["-display", "none"]),
    "-S",
    ...config.args,
  ];
}

function memory({ max, hotplug }: LaunchConfig["memory"]): string {
  const size = `size=${inUnits(max)}`;
  if (hotplug === undefined) return size;
  return `${size}${hotplug.slots === 0 ? "" : `,slots=${hotplug.slots}`},maxmem=${inUnits(hotplug.limit)}`;
}

function inUnits(bytes: number): string {
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}M` : `${bytes / 1024}K`;
}

/** Only the levels that are given: machine types complete the others each in their way, and refuse to hear of some. */
function vcpus({ vcpus: { current, max, topology = {} }, args }: LaunchConfig): string {
  const levels = LEVELS.flatMap((level) => (topology[level] === undefined ? [] : [`,${level}=${topology[level]}`]));
  return `cpus=${current - pluggedByArgs(args, topology.threads)},maxcpus=${max}${levels.join("")}`;
}

/** `-qmp` rather than `-chardev` with `-mon`: that is deprecated since QEMU 11, this is the same in all of them. */
function monitor(path: string): string[] {
  return ["-qmp", `unix:${escapeCommas(path)},server=on,wait=off`];
}
