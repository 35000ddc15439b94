import type { Session } from "../qmp/session.ts";
import { orNull } from "./live.ts";

/** What the guest says of its memory, in bytes. From virtio-balloon's statistics. */
export interface GuestMemory {
  readonly total: number;
  readonly available: number;
  /** Seconds since 1970, by the host's clock, when the guest last said so. */
  readonly at: number;
}

/** The running machine's memory, in bytes. */
export interface LiveMemory {
  /** What it was given: RAM at start and what was plugged since. */
  readonly size: number;
  /** What the balloon leaves the guest; null without a balloon device. */
  readonly actual: number | null;
  /** QOM path of the balloon device. */
  readonly balloon: string | null;
  /** Null when the guest has said nothing yet, or nobody asked it to. */
  readonly guest: GuestMemory | null;
}

/** Reads sizes, the balloon and the guest's own statistics. */
export async function readMemory(session: Session): Promise<LiveMemory> {
  const [size, balloon, path] = await Promise.all([
    session.execute("query-memory-size-summary"),
    orNull(session.execute("query-balloon")),
    balloonPath(session),
  ]);
  return {
    size: size["base-memory"] + (size["plugged-memory"] ?? 0),
    actual: balloon === null ? null : balloon.actual,
    balloon: balloon === null ? null : path,
    guest: balloon === null || path === null ? null : await guestMemory(session, path),
  };
}

async function balloonPath(session: Session): Promise<string | null> {
  const folders = ["/machine/peripheral", "/machine/peripheral-anon"];
  const lists = await Promise.all(folders.map((path) => orNull(session.execute("qom-list", { path }))));
  for (const [position, list] of lists.entries()) {
    const device = list?.find((child) => child.type.startsWith("child<virtio-balloon"));
    if (device !== undefined) return `${folders[position]}/${device.name}`;
  }
  return null;
}

/** QEMU gives 2^64-1 for what the guest never told it. */
const UNTOLD = 2 ** 60;

async function guestMemory(session: Session, path: string): Promise<GuestMemory | null> {
  const answer = (await orNull(session.execute("qom-get", { path, property: "guest-stats" }))) as GuestStats | null;
  const at = Number(answer?.["last-update"] ?? 0);
  const total = Number(answer?.stats?.["stat-total-memory"] ?? UNTOLD);
  const available = Number(answer?.stats?.["stat-available-memory"] ?? UNTOLD);
  return at === 0 || total >= UNTOLD || available >= UNTOLD ? null : { total, available, at };
}

/** As virtio-balloon's property `guest-stats` is described in QEMU's docs/interop/virtio-balloon-stats. */
interface GuestStats {
  readonly "last-update"?: number | bigint;
  readonly stats?: Readonly<Record<string, number | bigint>>;
}
