import type { LaunchConfig } from "./launch.ts";
import { type Mark, markWords } from "./mark.ts";
import { firstInRow, onlineVcpus } from "./online-vcpus.ts";
import { escapeCommas, splitOptions } from "./options.ts";
import { pluggedByArgs } from "./plugged.ts";
import { LEVELS, wholeCore } from "./topology.ts";

/** Where a machine's run-time files are; absolute paths. */
export interface RuntimeFiles {
  /** The monitor that makes changes. */
  readonly control: string;
  /** The monitor for clients that only watch. */
  readonly watch: string;
  readonly pidfile: string;
}

/** Options that decide where the guest's screen is shown. Without any of them QEMU would look for a desktop. */
const DISPLAYS = ["display", "nographic", "vnc", "spice", "sdl", "gtk"];

/**
 * The command line that starts a machine, as words, the emulator first; no shell reads it. The machine starts paused, with
 * `memory.max` of RAM and the vCPUs of the config, as far as there is none missing below them; the others, pins and the balloon's target
 * come
 * later. QEMU 5.2 accepts it too. It does not use `-daemonize`: QEMU's
 * sandbox forbids that fork, QEMU's warnings would be lost, and nobody would learn how it ended.
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
    // With this trace QEMU writes why the machine ends into its output. If args have a log (-D) or a trace of their own, it would go there
    // instead.
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

/** How many vCPUs the machine has when QEMU has set it up, before any is plugged by us. */
export function startedVcpus({ vcpus, emulator }: Pick<LaunchConfig, "vcpus" | "emulator">): number {
  return vcpus.online === undefined ? vcpus.current : firstInRow(onlineVcpus(vcpus), wholeCore({ vcpus, emulator }));
}

/** Only the given levels are passed: machine types complete the others in different ways, and refuse some. */
function vcpus(config: LaunchConfig): string {
  const {
    vcpus: { max, topology = {} },
    args,
  } = config;
  const levels = LEVELS.flatMap((level) => (topology[level] === undefined ? [] : [`,${level}=${topology[level]}`]));
  return `cpus=${startedVcpus(config) - pluggedByArgs(args, topology.threads)},maxcpus=${max}${levels.join("")}`;
}

/** With `-qmp`, not with `-chardev` and `-mon`: those are deprecated since QEMU 11, and `-qmp` means the same in all versions. */
function monitor(path: string): string[] {
  return ["-qmp", `unix:${escapeCommas(path)},server=on,wait=off`];
}
