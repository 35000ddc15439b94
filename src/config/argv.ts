import type { LaunchConfig } from "./launch.ts";
import { escapeCommas, splitOptions } from "./options.ts";
import { CONTROL_ID, OWN_ID, WATCH_ID } from "./owned.ts";

/** Where a machine's run-time files go; absolute paths. */
export interface RuntimeFiles {
  /** The monitor that changes are made through. */
  readonly control: string;
  /** The monitor for those who only watch. */
  readonly watch: string;
  readonly pidfile: string;
  /** QEMU's own log (`-D`). */
  readonly log: string;
}

/** Options that decide what the guest's screen is shown on. Without any of them QEMU would look for a desktop. */
const DISPLAYS = ["display", "vnc", "spice", "sdl", "gtk"];

/**
 * The command line that starts a machine, in words, the emulator first: nothing of it is for a shell. The machine starts in the
 * background, stopped, with `vcpus.current` vCPUs and `memory.max` of RAM; pins and the balloon's target are for later. QEMU 5.2 takes it too.
 */
export function toCommandLine(config: LaunchConfig, files: RuntimeFiles): string[] {
  const given = new Set(splitOptions(config.args).map(({ name }) => name));
  return [
    config.emulator,
    ...["-name", `guest=${config.name},debug-threads=on`],
    ...["-m", memory(config.memory)],
    ...["-smp", vcpus(config.vcpus)],
    ...monitor(CONTROL_ID, files.control),
    ...monitor(WATCH_ID, files.watch),
    ...(config.monitor === undefined ? [] : monitor(OWN_ID, config.monitor)),
    ...["-pidfile", files.pidfile],
    ...(given.has("D") ? [] : ["-D", files.log]),
    ...(DISPLAYS.some((option) => given.has(option)) ? [] : ["-display", "none"]),
    "-daemonize",
    "-S",
    ...config.args,
  ];
}

function memory({ max, hotplug }: LaunchConfig["memory"]): string {
  const size = `size=${inMegabytes(max)}`;
  return hotplug === undefined ? size : `${size},slots=${hotplug.slots},maxmem=${inMegabytes(hotplug.limit)}`;
}

function inMegabytes(bytes: number): string {
  return `${bytes / 1024 ** 2}M`;
}

function vcpus({ current, max, topology }: LaunchConfig["vcpus"]): string {
  const counts = `cpus=${current},maxcpus=${max}`;
  if (topology === undefined) return counts;
  const { sockets = 1, dies = 1, cores = 1, threads = 1 } = topology;
  // Most machine types know no dies and refuse the word; the others take 1 for granted.
  return `${counts},sockets=${sockets}${dies === 1 ? "" : `,dies=${dies}`},cores=${cores},threads=${threads}`;
}

function monitor(id: string, path: string): string[] {
  return ["-chardev", `socket,id=${id},path=${escapeCommas(path)},server=on,wait=off`, "-mon", `chardev=${id},id=${id}-mon,mode=control`];
}
