import { QmpFailure } from "../../src/testing/index.ts";

/** One device as `query-memory-devices` has it. */
export interface FakeMemoryDevice {
  readonly type: "dimm" | "virtio-mem";
  readonly data: { id: string; memdev: string; node: number; size: number; slot?: number } & Record<string, unknown>;
}

const MIB = 2 ** 20;

/** The memory devices of a fake QEMU, and what their memory comes from. */
export class FakeMemory {
  readonly devices: FakeMemoryDevice[] = [];
  /** The sizes of memory backends, by their ids. */
  readonly backends = new Map<string, number>();
  /** Slots for DIMMs. */
  slots = 4;

  /** Gives the machine a virtio-mem device, with blocks of 2 MiB. */
  addVirtioMem(id: string, most: number, requested = 0): void {
    this.backends.set(`${id}-ram`, most);
    this.devices.push({
      type: "virtio-mem",
      data: {
        id,
        memdev: `/objects/${id}-ram`,
        node: 0,
        size: requested,
        "requested-size": requested,
        "max-size": most,
        "block-size": 2 * MIB,
        memaddr: 2 ** 32,
      },
    });
  }

  get plugged(): number {
    return this.devices.reduce((sum, { data }) => sum + data.size, 0);
  }

  get dimms(): number {
    return this.devices.reduce((sum, { type, data }) => sum + (type === "dimm" ? data.size : 0), 0);
  }

  /** What it asks a device for; undefined if that is no virtio-mem device. `obeys`: whether the guest takes it at once. */
  request(path: string, size: number, obeys: boolean): boolean {
    const device = this.devices.find(({ type, data }) => type === "virtio-mem" && path.endsWith(`/${data.id}`));
    if (device === undefined) return false;
    device.data["requested-size"] = size;
    if (obeys) device.data.size = size;
    return true;
  }

  /** The guest takes what it was asked to take. */
  follow(): void {
    for (const { type, data } of this.devices) if (type === "virtio-mem") data.size = Number(data["requested-size"]);
  }

  addBackend({ id, ...args }: { readonly id: string; readonly size?: number; readonly props?: { readonly size: number } }): void {
    if (this.backends.has(id))
      throw new QmpFailure("GenericError", `attempt to add duplicate property '${id}' to object (type 'container')`);
    this.backends.set(id, args.size ?? args.props?.size ?? 0);
  }

  removeBackend(id: string): void {
    if (this.devices.some(({ data }) => data.memdev === `/objects/${id}`))
      throw new QmpFailure("GenericError", `object '${id}' is in use, can not be deleted`);
    if (!this.backends.delete(id)) throw new QmpFailure("GenericError", `object '${id}' not found`);
  }

  addDimm({ id, memdev, node = 0 }: { readonly id: string; readonly memdev: string; readonly node?: number }): void {
    const size = this.backends.get(memdev);
    if (size === undefined) throw new QmpFailure("GenericError", `Device '${memdev}' not found`);
    const used = new Set(this.devices.map(({ data }) => data.slot));
    const slot = Array.from({ length: this.slots }, (_, position) => position).find((position) => !used.has(position));
    if (slot === undefined) throw new QmpFailure("GenericError", "no free slots available");
    this.devices.push({ type: "dimm", data: { id, memdev: `/objects/${memdev}`, node, size, slot, hotplugged: true, hotpluggable: true } });
  }

  /** Whether the guest lets go of a DIMM of that name. */
  removeDimm(id: string): boolean {
    const position = this.devices.findIndex(({ type, data }) => type === "dimm" && data.id === id);
    if (position >= 0) this.devices.splice(position, 1);
    return position >= 0;
  }

  /** As `/machine/peripheral` lists them. */
  get children(): readonly { readonly name: string; readonly type: string }[] {
    return this.devices.map(({ type, data }) => ({
      name: data.id,
      type: type === "dimm" ? "child<pc-dimm>" : "child<virtio-mem-pci>",
    }));
  }
}
