import { UsageError } from "../errors.ts";
import type { LaunchConfig, Topology } from "./launch.ts";
import { formatSize } from "./size.ts";

/** What `-m` says, sizes as a config has them. */
export interface MemoryText {
  readonly max: string;
  readonly current: string;
  readonly hotplug?: { readonly slots: number; readonly limit: string };
}

const MIB = 1024 ** 2;
/** What QEMU gives a machine without `-m`, and with `-m 0`. */
const DEFAULT_MEMORY = 128 * MIB;

/** Reads the values of `-m`: a bare `size` is MiB and a bare `maxmem` is bytes, as QEMU counts (measured, 5.2 to 11.1). */
export function readMemory(values: ReadonlyMap<string, string>): MemoryText {
  const max = readSize("-m size", values.get("size") ?? "0", MIB) || DEFAULT_MEMORY;
  const limit = readSize("-m maxmem", values.get("maxmem") ?? "0", 1);
  const slots = readCount("-m slots", values.get("slots") ?? "0");
  const size = formatSize(max);
  return { max: size, current: size, ...(limit > max ? { hotplug: { slots, limit: formatSize(limit) } } : {}) };
}

/** Reads the values of `-smp`. What a topology leaves open goes to the cores first, as in QEMU since 6.2. */
export function readVcpus(values: ReadonlyMap<string, string>): Pick<LaunchConfig["vcpus"], "max" | "current" | "topology"> {
  const at = (key: string): number => readCount(`-smp ${key}`, values.get(key) ?? "0");
  for (const key of ["clusters", "modules", "drawers", "books"]) {
    if (at(key) > 1) throw refusal(`-smp ${key}`, String(at(key)), "sockets, dies, cores and threads only: a launch config knows no others");
  }
  const given = { sockets: at("sockets"), dies: at("dies"), cores: at("cores"), threads: at("threads") };
  const product = Object.values(given).reduce((so_far, each) => so_far * (each || 1), 1);
  const max = at("maxcpus") || Math.max(at("cpus"), at("cpus") === 0 ? product : 0);
  const hasTopology = Object.values(given).some((each) => each > 0);
  return { max, current: at("cpus") || max, ...(hasTopology ? { topology: completed(given, max) } : {}) };
}

type Counts = Required<{ readonly [Key in keyof Topology]: number }>;

function completed({ sockets, dies, cores, threads }: Counts, max: number): Topology {
  const rest = (...factors: readonly number[]): number => Math.max(1, Math.floor(max / factors.reduce((a, b) => a * (b || 1), 1)));
  const known = { sockets: sockets || (cores === 0 ? 1 : rest(dies, cores, threads)), cores: cores || rest(sockets, dies, threads) };
  return { sockets: known.sockets, ...(dies > 1 ? { dies } : {}), cores: known.cores, threads: threads || rest(known.sockets, dies, known.cores) };
}

function readSize(option: string, text: string, bareUnit: number): number {
  const match = /^(\d{1,15}(?:\.\d{1,15})?)([bkmgtp])?$/i.exec(text);
  if (match === null) throw refusal(option, text, "a size as QEMU takes it, as 512M or 2G");
  const [, number = "", unit] = match;
  return Math.round(Number(number) * (unit === undefined ? bareUnit : 1024 ** "bkmgtp".indexOf(unit.toLowerCase())));
}

function readCount(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw refusal(option, text, "a whole number");
  return Number(text);
}

function refusal(option: string, text: string, expected: string): UsageError {
  return new UsageError(`${option}: ${JSON.stringify(text.slice(0, 60))} can't be read, expected ${expected}`, { value: text, expected });
}
