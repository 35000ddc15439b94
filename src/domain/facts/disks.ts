import { inGroup } from "../../config/args-limits.ts";
import { type DiskLimits, formatLimits, LIMIT_KEYS, type LimitKey, parseLimits } from "../../config/disk-limits.ts";
import type { Session } from "../../qmp/session.ts";
import type { QueryBlockItem } from "../../schema/generated/types.ts";
import { orNull } from "./answer.ts";
import type { LiveDisk, LiveMedium } from "./disk-parts.ts";
import type { LiveReader } from "./live.ts";

/** Reads the disks and drives of a running machine. */
export const readDisks: LiveReader = async (session) => ({ disks: await disksOf(session) });

/** The disks and drives of a running machine, in QEMU's order. @throws the session's errors */
export async function disksOf(session: Session): Promise<readonly LiveDisk[]> {
  const items = await session.execute("query-block");
  return Promise.all(items.map((item) => diskOf(item, session)));
}

async function diskOf(item: QueryBlockItem, session: Session): Promise<LiveDisk> {
  const { qdev = null, device, inserted, removable, locked, tray_open: trayOpen = false } = item;
  const names = diskNames({ qdev, device, node: inserted?.["node-name"] ?? null });
  return {
    name: names[0] ?? "",
    names,
    qdev,
    drive: device === "" ? null : device,
    removable,
    locked,
    trayOpen,
    ...(removable && item.tray_open === undefined ? { noTray: true as const } : {}),
    medium: inserted === undefined ? null : await mediumOf(inserted, session),
  };
}

/** What a disk is called by what QEMU says of it, and its other names: see `LiveDisk`. */
export function diskNames({ qdev, device, node }: Readonly<Record<"qdev" | "device" | "node", string | null>>): readonly string[] {
  const id = qdev === null ? null : (/^\/machine\/peripheral\/([^/]+)/.exec(qdev)?.[1] ?? (qdev.startsWith("/") ? null : qdev));
  const names = [id, device, node === null || node.startsWith("#") ? null : node, qdev];
  return [...new Set(names.filter((each) => each !== null && each !== ""))] as readonly string[];
}

async function mediumOf(inserted: NonNullable<QueryBlockItem["inserted"]>, session: Session): Promise<LiveMedium> {
  const { file, image, ro, drv, group = null } = inserted;
  const throttleNode = throttleGroupIn(file);
  const values = throttleNode === null ? null : await groupLimits(throttleNode, session);
  return {
    node: inserted["node-name"] ?? null,
    file,
    format: drv,
    size: Number(image["virtual-size"]),
    readOnly: ro,
    limits: values ?? given((key) => inserted[key.replaceAll("-", "_") as "iops"]),
    group: values === null ? group : throttleNode,
    throttleNode: values === null ? null : throttleNode,
  };
}

function given(valueAt: (key: LimitKey) => unknown): DiskLimits {
  const all = Object.fromEntries(LIMIT_KEYS.map((key) => [key, Number(valueAt(key) ?? (key.endsWith("-length") ? 1 : 0))]));
  return parseLimits(formatLimits(all));
}

/** The limits of a throttle group; null where this is not readable. */
async function groupLimits(name: string, session: Session): Promise<DiskLimits | null> {
  const values = await orNull(session.execute("qom-get", { path: `/objects/${name}`, property: "limits" }));
  return values === null ? null : given((key) => (values as Readonly<Record<string, unknown>>)[inGroup(key)]);
}

/** The throttle group in the graph of a node, from its name: QEMU writes one with options in JSON. */
function throttleGroupIn(file: string): string | null {
  if (!file.startsWith("json:")) return null;
  try {
    return find(JSON.parse(file.slice("json:".length)));
  } catch {
    return null;
  }
}

function find(node: unknown): string | null {
  if (typeof node !== "object" || node === null) return null;
  const { driver, "throttle-group": group } = node as Readonly<Record<string, unknown>>;
  if (driver === "throttle" && typeof group === "string") return group;
  for (const inner of Object.values(node)) {
    const found = find(inner);
    if (found !== null) return found;
  }
  return null;
}
