import type { LaunchConfig } from "../../config/launch.ts";
import type { Deadline } from "../../deadline.ts";
import { type CpuSet, formatCpuList } from "../../host/cpulist.ts";
import { cpusetOf } from "../../host/cpuset.ts";
import { readAffinity } from "../../host/taskset.ts";
import type { Session } from "../../qmp/session.ts";
import { ejectReport } from "../../schema/acpi-ost.ts";
import { processBehind } from "../machine/process.ts";
import { orNull } from "./answer.ts";
import { type LiveMemory, readMemory } from "./live-memory.ts";
import type { LiveParts } from "./live-parts.ts";

/** One vCPU that is plugged. */
export interface Vcpu {
  readonly index: number;
  /** Its thread, on the host that QEMU runs on. */
  readonly tid: number;
  readonly qomPath: string;
  /** The thread's affinity as a Linux CPU list; null if the thread is not on this host. */
  readonly affinity: string | null;
}

/** A slot for vCPUs: for one on x86 and ARM, for a whole core on ppc64. Slots are listed in index order. */
export interface Slot {
  /** Index of its first vCPU. */
  readonly first: number;
  readonly count: number;
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly plugged: boolean;
  /** The name for `device_del`: the id that it was plugged with, else its QOM path. Null if nothing is plugged. */
  readonly device: string | null;
  /** The guest ejected a vCPU from here before (last _OST of the slot: source 3, status 0). */
  readonly ejected: boolean;
  /** The guest is releasing what is plugged here at this moment (last _OST of the slot: source 3, in progress). */
  readonly leaving?: boolean;
}

/** The running machine, as read over QMP and /proc at one moment. */
export interface Live extends LiveParts {
  /** QEMU's run state, as `running`, `paused`, `prelaunch`, `inmigrate`. */
  readonly status: string;
  readonly running: boolean;
  readonly version: { readonly major: number; readonly text: string };
  /** Software emulation: an unplugged vCPU's thread is used up, see `replugRisk` in replug.ts. */
  readonly tcg: boolean;
  readonly pid: number | null;
  /** Why threads can't be pinned from here; null if they can. */
  readonly pinObstacle: string | null;
  readonly memory: LiveMemory;
  readonly vcpus: readonly Vcpu[];
  readonly slots: readonly Slot[];
  /** The vCPUs that there is room for, as far as QEMU shows it: see `roomForVcpus`. */
  readonly maxVcpus: number;
  /** The ids of devices: `device_add` refuses to use one twice. */
  readonly ids: ReadonlySet<string>;
  /** Slots whose memory the guest is releasing at this moment (last _OST of the slot: source 3, in progress). */
  readonly leavingMemory?: readonly string[];
  /** DIMMs of which the guest has said nothing yet (no _OST of their slots): it has not taken them. */
  readonly untakenMemory?: readonly string[];
  /** The state of a migration in progress, else null. */
  readonly migration: string | null;
  /** The mask of the emulator's main thread, which new vCPU threads inherit; null if it is not on this host. */
  readonly mainAffinity: CpuSet | null;
  /** The CPUs that the emulator's cpuset allows it; null if that can't be seen. */
  readonly mayUse?: CpuSet | null;
}

/**
 * Reads one part of a running machine, if the rest is read already. What this QEMU has no answer to is left out.
 *
 * @throws the session's errors
 */
export type LiveReader = (session: Session, live: Live, about: ReadAbout) => Promise<LiveParts>;

/** What a reader is told besides. */
export interface ReadAbout {
  /** It may say where to look; null if there is none. */
  readonly config: LaunchConfig | null;
  /** By when all has to be read; absent where that is the caller's to watch. */
  readonly by?: Deadline | undefined;
}

/** The same readers, told this for good. */
export function readersTold(about: ReadAbout, readers: readonly LiveReader[]): readonly LiveReader[] {
  return readers.map((read) => (session, live) => read(session, live, about));
}

/**
 * How many vCPUs there is room for; null if the machine can't plug any (aarch64's virt, microvm, isapc): it does not show what it was
 * started with.
 */
export function roomForVcpus({ slots, maxVcpus }: Live): number | null {
  return slots.length === 0 ? null : maxVcpus;
}

const QUIET_MIGRATION: ReadonlySet<string> = new Set(["none", "completed", "failed", "cancelled"]);

/**
 * Reads the running machine. All questions are sent at once. A question that a machine may have no answer to (no hotpluggable vCPUs, no
 * balloon) gives an empty result. `known` is the pid of a QEMU that we started, `readers` read what only some resources need.
 *
 * @throws the session's errors: if the monitor breaks in the middle, there are no half-read facts
 */
export async function readLive(session: Session, known: number | null, readers: readonly LiveReader[] = []): Promise<Live> {
  const live = await readMachine(session, known);
  const parts = await Promise.all(readers.map((read) => read(session, live, { config: null })));
  return Object.assign({}, live, ...parts) as Live;
}

async function readMachine(session: Session, known: number | null): Promise<Live> {
  const [status, kvm, cpus, hotpluggable, ospm, migrate, devices, memory] = await Promise.all([
    session.execute("query-status"),
    session.execute("query-kvm"),
    session.execute("query-cpus-fast"),
    orNull(session.execute("query-hotpluggable-cpus")),
    orNull(session.execute("query-acpi-ospm-status")),
    session.execute("query-migrate"),
    orNull(session.execute("qom-list", { path: "/machine/peripheral" })),
    readMemory(session),
  ]);
  const tids = cpus.map((cpu) => cpu["thread-id"]);
  const behind = await processBehind(session.address, tids, known);
  const vcpus = await Promise.all(
    cpus.map(async (cpu) => ({
      index: cpu["cpu-index"],
      tid: cpu["thread-id"],
      qomPath: cpu["qom-path"],
      affinity: behind.pid === null ? null : await affinityOf(cpu["thread-id"]),
    })),
  );
  const slots = toSlots(hotpluggable ?? [], ospm ?? []);
  const version = session.greeting.version.qemu;
  return {
    status: status.status,
    running: status.running,
    version: { major: version.major, text: `${version.major}.${version.minor}.${version.micro}` },
    tcg: !kvm.enabled,
    pid: behind.pid,
    pinObstacle: behind.why ?? sharedThread(tids),
    memory,
    vcpus,
    slots,
    maxVcpus: slots.length > 0 ? slots.reduce((sum, slot) => sum + slot.count, 0) : vcpus.length,
    leavingMemory: (ospm ?? []).filter(isLeavingMemory).map(({ slot, device }) => device ?? `in slot ${slot}`),
    untakenMemory: (ospm ?? []).filter(isUntakenMemory).flatMap(({ device }) => device ?? []),
    ids: new Set((devices ?? []).map((device) => device.name)),
    migration: migrate.status === undefined || QUIET_MIGRATION.has(migrate.status) ? null : migrate.status,
    mainAffinity: behind.pid === null ? null : await readAffinity(behind.pid).catch(() => null),
    mayUse: behind.pid === null ? null : await cpusetOf(behind.pid),
  };
}

async function affinityOf(tid: number): Promise<string | null> {
  // A vCPU may be unplugged between QEMU's answer and our look.
  return readAffinity(tid).then(formatCpuList, () => null);
}

/** Whether vCPUs share a thread (tcg,thread=single), so that none has its own. `tids` has one entry for each vCPU. */
export function shareThread(tids: readonly number[]): boolean {
  return new Set(tids).size < tids.length;
}

function sharedThread(tids: readonly number[]): string | null {
  return shareThread(tids) ? "all vCPUs share one thread (tcg,thread=single), so none can be pinned by itself" : null;
}

interface HotpluggableCpu {
  readonly type: string;
  readonly "vcpus-count": number;
  readonly props: Readonly<Record<string, unknown>>;
  readonly "qom-path"?: string | undefined;
}
interface OspmStatus {
  readonly "slot-type": string;
  readonly slot: string;
  readonly source: number;
  readonly status: number;
  readonly device?: string | undefined;
}

function isLeavingMemory(entry: OspmStatus): boolean {
  return entry["slot-type"] === "DIMM" && ejectReport(entry) === "under way";
}

/** The last word of a slot may be of the DIMM that was there before: that it was ejected. */
function isUntakenMemory(entry: OspmStatus): boolean {
  const isSilent = entry.source === 0 && entry.status === 0;
  return entry["slot-type"] === "DIMM" && (isSilent || ejectReport(entry) === "done");
}

const TOPOLOGY = ["drawer-id", "book-id", "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id"];

/** Sorts QEMU's list, which has an order of its own, by index, and numbers the vCPUs. */
function toSlots(cpus: readonly HotpluggableCpu[], ospm: readonly OspmStatus[]): Slot[] {
  const vcpus = ospm.filter((entry) => entry["slot-type"] === "CPU");
  const ejected = new Set(vcpus.filter((entry) => ejectReport(entry) === "done").map(({ slot }) => Number(slot)));
  const leaving = new Set(vcpus.filter((entry) => ejectReport(entry) === "under way").map(({ slot }) => Number(slot)));
  const sorted = cpus.toSorted((a, b) => {
    const level = TOPOLOGY.find((key) => a.props[key] !== b.props[key]);
    return level === undefined ? 0 : Number(a.props[level] ?? 0) - Number(b.props[level] ?? 0);
  });
  let first = 0;
  return sorted.map((cpu, position) => {
    const slot: Slot = {
      first,
      count: cpu["vcpus-count"],
      type: cpu.type,
      props: cpu.props,
      plugged: cpu["qom-path"] !== undefined,
      device: deviceName(cpu["qom-path"]),
      ejected: ejected.has(position) && cpu["qom-path"] === undefined,
      ...(leaving.has(position) ? { leaving: true } : {}),
    };
    first += slot.count;
    return slot;
  });
}

function deviceName(qomPath: string | undefined): string | null {
  if (qomPath === undefined) return null;
  const peripheral = "/machine/peripheral/";
  return qomPath.startsWith(peripheral) ? qomPath.slice(peripheral.length) : qomPath;
}
