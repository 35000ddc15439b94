import type { MemoryDevice as Answer } from "../../schema/replies.ts";

/** A device that gives the guest memory besides what it starts with: a DIMM, or a virtio-mem device. Sizes are in bytes. */
export interface MemoryDevice {
  /** What it is, in QEMU's word: `dimm`, `nvdimm`, `virtio-mem`, … */
  readonly type: string;
  /** Its id; a device without one goes by its QOM path, and null where that is not known. */
  readonly id: string | null;
  /** What it gives the guest now. */
  readonly size: number;
  /** The object that its memory comes from. */
  readonly memdev: string;
  readonly node: number;
  /** The slot of a DIMM. */
  readonly slot?: number;
  /** It came while QEMU ran, and not with its start. */
  readonly hotplugged?: true;
  /** Of virtio-mem: what it was asked to give, and can give, in steps of a block. QEMU keeps the target, so that nobody else has to. */
  readonly resizable?: { readonly target: number; readonly most: number; readonly block: number };
}

/** A virtio-mem device that has a name. */
export type VirtioMem = MemoryDevice & Required<Pick<MemoryDevice, "resizable">> & { readonly id: string };

/** A DIMM that has a name. */
export type Dimm = MemoryDevice & { readonly id: string };

const OBJECTS = "/objects/";

/**
 * The devices that `query-memory-devices` lists. `anonymous`: the QOM paths of virtio-mem devices without an id. If there is one alone, it
 * is known which it is.
 */
export function memoryDevicesOf(answer: readonly Answer[], anonymous: readonly string[]): readonly MemoryDevice[] {
  return answer.map(({ type, data }) => {
    const memdev = String(data["memdev"]);
    const isResizable = type === "virtio-mem";
    const only = isResizable && anonymous.length === 1 ? (anonymous[0] ?? null) : null;
    return {
      type,
      id: typeof data["id"] === "string" && data["id"] !== "" ? data["id"] : only,
      size: Number(data["size"] ?? 0),
      memdev: memdev.startsWith(OBJECTS) ? memdev.slice(OBJECTS.length) : memdev,
      node: Number(data["node"] ?? 0),
      ...(data["slot"] === undefined ? {} : { slot: Number(data["slot"]) }),
      ...(data["hotplugged"] === true ? { hotplugged: true } : {}),
      ...(isResizable
        ? { resizable: { target: Number(data["requested-size"]), most: Number(data["max-size"]), block: Number(data["block-size"]) } }
        : {}),
    };
  });
}

/** Those that are virtio-mem, and have a name. */
export function virtioMemsIn(devices: readonly MemoryDevice[] = []): readonly VirtioMem[] {
  return devices.filter((device): device is VirtioMem => device.resizable !== undefined && device.id !== null);
}

/** Those that are DIMMs, and have a name. The balloon counts their memory. */
export function dimmsIn(devices: readonly MemoryDevice[] = []): readonly Dimm[] {
  return devices.filter((device): device is Dimm => device.type === "dimm" && device.id !== null);
}

/** What all of a type give now. */
export function sizeOf(devices: readonly MemoryDevice[], type: string): number {
  return devices.reduce((sum, device) => sum + (device.type === type ? device.size : 0), 0);
}

/** What QEMU was started with, for memory that is plugged: its slots for DIMMs, and the most that all memory together may be, in bytes. */
export interface MemoryRoom {
  readonly slots: number;
  /** 0: nothing can be plugged. */
  readonly limit: number;
}
