import { readBackend } from "../../config/memory-backend.ts";
import { formatSize } from "../../config/size.ts";
import { UsageError } from "../../errors.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { type Dimm, dimmsIn as listedDimms } from "../facts/memory-devices.ts";

/** A DIMM that the machine is to have: its size in bytes, and 0 for no such DIMM. */
export interface DimmChange {
  readonly resource: "dimm";
  readonly id: string;
  readonly size: number;
  /** The NUMA node that it is plugged into; 0 on a machine without nodes. */
  readonly node: number;
  /** What its memory comes from, as JSON: `{"type": "memory-backend-memfd", "share": false}`; absent: a memory-backend-ram as usual. */
  readonly backend?: string;
}

/** A DIMM is made of whole huge pages. */
const UNIT = 2 * 2 ** 20;
/** What QEMU takes as an id. */
const ID = /^[A-Za-z][A-Za-z0-9._-]*$/;

/** @throws UsageError for a DIMM that no machine could have */
export function checkDimm({ id, size, node, backend }: DimmChange): void {
  if (backend !== undefined) readBackend(backend);
  if (!ID.test(id) || id.length > 120)
    throw new UsageError(`DIMM ${JSON.stringify(id.slice(0, 60))}: no id for QEMU`, {
      value: id,
      expected: "a letter, then letters, digits, - . _",
    });
  if (!Number.isSafeInteger(size) || size < 0 || size % UNIT !== 0)
    throw new UsageError(`DIMM ${id}: ${formatSize(size)} is not a multiple of ${formatSize(UNIT)}`, {
      value: size,
      expected: "a multiple of 2MiB",
    });
  if (!Number.isSafeInteger(node) || node < 0 || node > 127)
    throw new UsageError(`DIMM ${id}: ${node} is no NUMA node`, { value: node, expected: "a number from 0 to 127" });
}

/** How many bytes of DIMMs changes add to the running machine, less those that they take away. */
export function dimmsToCome(changes: readonly { readonly resource: string }[], live: Live): number {
  return changes
    .filter((change): change is DimmChange => change.resource === "dimm")
    .reduce((sum, { id, size }) => sum + size - (liveDimm(id, live)?.size ?? 0), 0);
}

/** What changes do to the DIMMs of the running machine, for those that are about all of its memory. */
export function dimmsIn(changes: readonly { readonly resource: string }[], live: Live): Pick<LiveFacts, "dimmsToCome" | "dimmsToGo"> {
  const going = changes.filter((change): change is DimmChange => change.resource === "dimm" && (change as DimmChange).size === 0);
  return {
    dimmsToCome: dimmsToCome(changes, live),
    dimmsToGo: going.map(({ id }) => id).filter((id) => liveDimm(id, live) !== undefined),
  };
}

/** A DIMM of the running machine, by its id. */
export function liveDimm(id: string, live: Live): Dimm | undefined {
  return listedDimms(live.memory.devices).find((each) => each.id === id);
}
