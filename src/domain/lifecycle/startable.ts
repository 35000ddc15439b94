import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { idsTwice } from "../../config/args-clashes.ts";
import { formatLimits } from "../../config/disk-limits.ts";
import { iothreadsIn } from "../../config/iothread-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { onlineVcpus } from "../../config/online-vcpus.ts";
import { type Option, parseKeyValues, splitOptions } from "../../config/options.ts";
import type { Stored } from "../../config/store.ts";
import { HostError } from "../../errors.ts";
import { formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { findProgram } from "../../host/programs.ts";
import { onlineCpus } from "../../host/taskset.ts";
import { StateError } from "../model/errors.ts";
import { noSuchDiskInArgs } from "../resources/disk-names.ts";
import { refusedSections } from "./board.ts";
import { groupObstacle } from "./own-group.ts";

/** Options whose whole argument is a file that must exist; "" is a bare word, a disk image. */
const FILE_OPTIONS: ReadonlySet<string> = new Set([
  "",
  "kernel",
  "initrd",
  "dtb",
  "hda",
  "hdb",
  "hdc",
  "hdd",
  "cdrom",
  "fda",
  "fdb",
  "sd",
  "mtdblock",
  "readconfig",
]);
/** Options whose file QEMU also looks for in its own folders, unless it is a path. */
const SEARCHED: ReadonlySet<string> = new Set(["bios", "pflash"]);
/** Options that have such a file among their keys. */
const FILE_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["drive", ["file"]],
  ["blockdev", ["filename", "file.filename"]],
  ["smbios", ["file"]],
  ["fw_cfg", ["file"]],
]);

/**
 * Checks what can be checked of a start before anything is done: its emulator, the files that its args name, ids that stand there twice,
 * the CPUs that it is pinned to.
 * Checks what can be checked of a start before anything is done: its emulator, the files that its args name, the CPUs that it is pinned to,
 * the disks
 * that it limits.
 * For a restart that is before the running machine is asked to shut down.
 *
 * @throws HostError without the emulator; StateError with everything that is missing
 */
export async function mustBeStartable({ config, path }: Stored): Promise<void> {
  const program = findProgram(config.emulator);
  if ("why" in program) throw new HostError(`${config.name}: ${config.emulator}: ${program.why}`, { command: [config.emulator] });
  const folder = dirname(path);
  const files = filesOf(config.args);
  const there = await Promise.all(
    files.map((file) =>
      access(resolve(folder, file)).then(
        () => true,
        () => false,
      ),
    ),
  );
  const missing = [
    ...files.filter((_, position) => there[position] !== true).map((file) => `${resolve(folder, file)}: there is no such file`),
    ...idsTwice(config.args),
    ...(await absentCpus(config)),
    ...limitsOfAbsentDisks(config),
    ...[groupObstacle(config)].filter((why) => why !== null),
    ...(await refusedSections(config.args, folder)),
  ];
  if (missing.length > 0)
    throw new StateError(`${config.name}: it can't start, and nothing was touched: ${missing.join("; ")}`, "unstartable");
}

async function absentCpus({ vcpus, threads, args }: LaunchConfig): Promise<readonly string[]> {
  const started = onlineVcpus(vcpus);
  const iothreads = new Set(iothreadsIn(args).map(({ id }) => id));
  const pins: readonly (readonly [thread: string, cpus: string])[] = [
    ...Object.entries(vcpus.pin).flatMap(([vcpu, cpus]) => (started.has(Number(vcpu)) ? [[`vCPU ${vcpu}`, cpus] as const] : [])),
    ...(threads?.emulator === undefined ? [] : [["QEMU", threads.emulator] as const]),
    ...Object.entries(threads?.iothreads ?? {}).flatMap(([id, cpus]) => (iothreads.has(id) ? [[`iothread ${id}`, cpus] as const] : [])),
  ];
  const online = pins.length === 0 ? new Set<number>() : await onlineCpus();
  return pins.flatMap(([thread, cpus]) => {
    const absent = new Set([...parseCpuList(cpus)].filter((cpu) => !online.has(cpu)));
    return absent.size === 0 ? [] : [`${thread} is pinned to CPU ${formatCpuList(absent)}, which this host does not have online`];
  });
}

/** A file that args read (-readconfig) may have disks that nothing else names. */
function limitsOfAbsentDisks(config: LaunchConfig): readonly string[] {
  if (splitOptions(config.args).some(({ name }) => name === "readconfig")) return [];
  return Object.entries(config.disks?.throttle ?? {}).flatMap(([disk, limits]) =>
    formatLimits(limits) === "none"
      ? []
      : noSuchDiskInArgs(disk, config).map(({ reason }) => `disks.throttle limits ${disk}, and ${reason}`),
  );
}

/** The files that QEMU opens at its start, as its command line names them. */
export function filesOf(args: readonly string[]): readonly string[] {
  return splitOptions(args).flatMap(filesIn).filter(isFile);
}

function filesIn({ name, value, words }: Option): readonly string[] {
  if (FILE_OPTIONS.has(name)) return [value ?? words[0] ?? ""];
  if (SEARCHED.has(name)) return value?.includes("/") === true ? [value] : [];
  const keys = FILE_KEYS.get(name);
  if (keys === undefined || value === undefined) return [];
  if (value.trimStart().startsWith("{")) return filenamesIn(value);
  const values = parseKeyValues(value, name === "blockdev" ? "driver" : "name");
  return keys.flatMap((key) => values.get(key) ?? []);
}

function filenamesIn(json: string): readonly string[] {
  try {
    const found: string[] = [];
    JSON.parse(json, (key, value: unknown) => {
      if (key === "filename" && typeof value === "string") found.push(value);
      return value;
    });
    return found;
  } catch {
    return []; // QEMU will say what is wrong with it
  }
}

/**
 * Whether it is a file: not what QEMU reads by a protocol (`nbd:…`, `http://…`, `fat:rw:…`, `json:…`), nor what another program hands it.
 */
function isFile(file: string): boolean {
  return file !== "" && !/^[a-zA-Z][\w+.-]*:/.test(file) && !file.startsWith("/dev/fd");
}
