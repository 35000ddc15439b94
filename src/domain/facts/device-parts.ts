/** A port for one device, that a device can be plugged into. */
export interface LivePort {
  readonly id: string;
  /** What is in it: ids, or QEMU's names. */
  readonly devices: readonly string[];
}

/** What the resource `device` needs to know of a running machine. */
export interface DevicePart {
  /** Its devices that have an id, and their drivers. */
  readonly devices?: ReadonlyMap<string, string>;
  /** Its PCI Express ports; absent where it has none. */
  readonly ports?: readonly LivePort[];
}
