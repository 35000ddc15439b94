import { HostError } from "../../errors.ts";
import { ejectReport, refusalReason } from "../../schema/acpi-ost.ts";
import type { Hint } from "../machine/poll-until.ts";

/** A refusal that gives no status. */
const UNSAID = -1;

/** Somebody said no to letting go of vCPUs: these stay, and won't leave later either. */
export class StayError extends HostError {
  readonly staying: ReadonlySet<number>;

  constructor(message: string, staying: readonly number[], options?: { readonly cause?: unknown }) {
    super(message, {}, options);
    this.staying = new Set(staying);
  }
}

/** The vCPUs that are known to stay, by what an unplug failed with. */
export function stayingAfter(cause: unknown): ReadonlySet<number> {
  return cause instanceof StayError ? cause.staying : new Set();
}

/** What the guest says about vCPUs it is to let go of, by ACPI_DEVICE_OST, or by QEMU in its name. */
export class GuestRefusals {
  readonly #status = new Map<number, number>();
  /** The vCPUs behind the names of devices: some firmware's refusals come by name (DEVICE_UNPLUG_GUEST_ERROR, as on POWER). */
  readonly #behind = new Map<string, readonly number[]>();

  /** What the guest said of a DIMM that it does not let go of, by its id. */
  readonly #dimms = new Map<string, string>();

  /** Why the guest refused to let go of a DIMM; undefined if it did not. */
  ofDimm(id: string): string | undefined {
    return this.#dimms.get(id);
  }

  /** What is about to be asked for by this name or QOM path. */
  expect(device: string, vcpus: readonly number[]): void {
    this.#behind.set(device, vcpus);
  }

  /** Hears all that comes. Ends with the stream, in whatever way: a broken connection is for others to mend. */
  async follow(stream: AsyncIterable<Hint>): Promise<void> {
    try {
      for await (const event of stream) this.hear(event);
    } catch {
      // See above.
    }
  }

  hear(event: Hint): void {
    if (event.event === "DEVICE_UNPLUG_GUEST_ERROR") this.#hearName(event.data as { device?: string; path: string });
    if (event.event === "ACPI_DEVICE_OST") this.#hearStatus(event.data);
    if (event.event === "MEM_UNPLUG_ERROR") this.#hearError(event.data as { device: string; msg: string });
  }

  /** Up to 9.x; from 6.2 on DEVICE_UNPLUG_GUEST_ERROR says the same. */
  #hearError({ device, msg }: { readonly device: string; readonly msg: string }): void {
    this.#dimms.set(device, msg);
  }

  #hearName({ device, path }: { readonly device?: string; readonly path: string }): void {
    if (device !== undefined && !this.#behind.has(device) && !this.#dimms.has(device)) this.#dimms.set(device, "no reason given");
    for (const vcpu of this.#behind.get(device ?? path) ?? this.#behind.get(path) ?? []) this.#status.set(vcpu, UNSAID);
  }

  #hearStatus(data: unknown): void {
    const { info } = data as { info: { device?: string; slot: string; "slot-type": string; source: number; status: number } };
    if (ejectReport(info) !== "refused") return;
    if (info["slot-type"] === "DIMM" && info.device !== undefined)
      this.#dimms.set(info.device, `${refusalReason(info.status)}, _OST status ${info.status}`);
    if (info["slot-type"] !== "CPU") return;
    this.#status.set(Number(info.slot), info.status);
  }

  has(vcpu: number): boolean {
    return this.#status.has(vcpu);
  }

  error(vcpus: readonly number[]): StayError {
    const said = vcpus.map((vcpu) => {
      const status = this.#status.get(vcpu) ?? 1;
      if (status === UNSAID) return `vCPU ${vcpu}`;
      return `vCPU ${vcpu} (${refusalReason(status)}, _OST status ${status})`;
    });
    return new StayError(`unplug: the guest refused to let go of ${said.join(", ")}`, vcpus);
  }
}
