/** The device that comes and goes on the machines of the rigs, and its words. */
export const DEVICE = "rng1";
export const DEVICE_WORDS: readonly string[] = ["-device", `virtio-rng-pci,id=${DEVICE},bus=rp1`];
/** The port that it is plugged into. */
export const PORT_ARGS: readonly string[] = ["-device", "pcie-root-port,id=rp1,chassis=1,slot=1"];

/** The words in one text, if the device is there. */
export function deviceWordsIf(isThere: boolean): string {
  return isThere ? DEVICE_WORDS.join(" ") : "absent";
}

/** Devices of a fake QEMU that are no vCPUs, by their ids, with their drivers. A test can read and change them. */
export class FakeDevices {
  readonly plugged = new Map<string, string>();

  /** Plugs what is no vCPU. Returns whether it was one for here. */
  add({ driver, id }: { readonly driver?: string; readonly id: string }): boolean {
    if (driver === undefined || driver.endsWith("-cpu")) return false;
    this.plugged.set(id, driver);
    return true;
  }

  /** As QEMU lists them. */
  list(): readonly object[] {
    return [...this.plugged].map(([name, driver]) => ({ name, type: `child<${driver}>` }));
  }
}
