import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import { type MemoryDevice, memoryDevicesOf, sizeOf } from "./memory-devices.ts";

/** What the guest says about its memory, in bytes. From virtio-balloon's statistics. */
export interface GuestMemory {
  /** What its kernel counts as its own: without what the balloon took, and without what the kernel keeps for itself. */
  readonly total: number;
  /** What programs could still get, by the guest's count. What the balloon takes comes out of this. */
  readonly available: number;
  /** Seconds since 1970, by the clock of QEMU's host when the guest said so. It tells one answer from the next, not how old it is. */
  readonly at: number;
}

/** The running machine's memory, in bytes. */
export interface LiveMemory {
  /** What the balloon works in: RAM at start, and DIMMs. What virtio-mem gives is apart, and no balloon touches it. */
  readonly size: number;
  /** How much of `size` is DIMMs, whether they came with the start or later. */
  readonly dimms?: number;
  /** What virtio-mem devices give the guest besides. */
  readonly virtioMem?: number;
  /** The DIMMs and virtio-mem devices, where there are some. */
  readonly devices?: readonly MemoryDevice[];
  /** What the balloon leaves the guest of `size`; null without a balloon device. */
  readonly actual: number | null;
  /** QOM path of the balloon device. */
  readonly balloon: string | null;
  /** Null when the guest has said nothing yet, or nobody asked it to. */
  readonly guest: GuestMemory | null;
}

/** What QEMU was started with (its -m): the only size that a config's memory.max can be compared with. */
export function startMemory({ size, dimms = 0 }: LiveMemory): number {
  return size - dimms;
}

/** The guest's memory, as `setmem` counts it. */
export function memoryNow({ actual, size }: LiveMemory): number {
  return actual ?? size;
}

/**
 * Reads sizes, the balloon and the guest's own statistics. QEMU counts in three ways: query-memory-size-summary's plugged memory includes
 * virtio-mem; query-balloon's includes DIMMs and not virtio-mem; -m includes neither (measured on 5.2, 7.2, 10.0 and 11.1).
 */
export async function readMemory(session: Session): Promise<LiveMemory> {
  const [size, balloon, children] = await Promise.all([
    session.execute("query-memory-size-summary"),
    orNull(session.execute("query-balloon")),
    childrenOf(session),
  ]);
  const path = children.find(({ type }) => type.startsWith("child<virtio-balloon"))?.path ?? null;
  const plugged = size["plugged-memory"] ?? 0;
  const virtioMems = children.filter(({ type }) => type.startsWith("child<virtio-mem"));
  // One that gives nothing yet is in no sum.
  const isWorth = plugged > 0 || virtioMems.length > 0;
  const answer = isWorth ? await orNull(session.execute("query-memory-devices")) : null;
  const anonymous = virtioMems.filter(({ path: at }) => at.startsWith(`${ANONYMOUS}/`)).map(({ path: at }) => at);
  const devices = answer === null ? [] : memoryDevicesOf(answer, anonymous);
  const virtioMem = sizeOf(devices, "virtio-mem");
  const dimms = answer === null ? plugged : sizeOf(devices, "dimm");
  return {
    size: size["base-memory"] + dimms,
    ...(dimms > 0 ? { dimms } : {}),
    ...(virtioMem > 0 ? { virtioMem } : {}),
    ...(devices.length > 0 ? { devices } : {}),
    actual: balloon === null ? null : balloon.actual,
    balloon: balloon === null ? null : path,
    guest: balloon === null || path === null ? null : await guestMemory(session, path),
  };
}

const NAMED = "/machine/peripheral";
const ANONYMOUS = "/machine/peripheral-anon";

/** The machine's devices, with an id and without one: their QOM paths and types. */
async function childrenOf(session: Session): Promise<readonly { readonly path: string; readonly type: string }[]> {
  const folders = [NAMED, ANONYMOUS];
  const lists = await Promise.all(folders.map((path) => orNull(session.execute("qom-list", { path }))));
  return lists.flatMap((list, position) => (list ?? []).map(({ name, type }) => ({ path: `${folders[position]}/${name}`, type })));
}

async function guestMemory(session: Session, path: string): Promise<GuestMemory | null> {
  return figuresOf(await orNull(session.execute("qom-get", { path, property: "guest-stats" })));
}

/** QEMU gives 2^64-1 for a figure that the guest never told it. */
const UNTOLD = 2 ** 60;

/** What a balloon device's `guest-stats` say; null if the guest has said nothing. */
export function figuresOf(answer: unknown): GuestMemory | null {
  const { "last-update": last, stats } = (answer ?? {}) as GuestStats;
  const at = Number(last ?? 0);
  const total = Number(stats?.["stat-total-memory"] ?? UNTOLD);
  const available = Number(stats?.["stat-available-memory"] ?? UNTOLD);
  return at === 0 || total >= UNTOLD || available >= UNTOLD ? null : { total, available, at };
}

/** As virtio-balloon's property `guest-stats` is described in QEMU's docs/interop/virtio-balloon-stats. */
interface GuestStats {
  readonly "last-update"?: number | bigint;
  readonly stats?: Readonly<Record<string, number | bigint>>;
}
