import { formatSize } from "../../config/size.ts";
import type { HostMemory } from "./host-part.ts";
import { type LiveMemory, memoryNow } from "./live-memory.ts";

/** What a change of the guest's memory did to the host's, in bytes. */
export interface HostMemoryChange {
  readonly before: HostMemory;
  readonly after: HostMemory;
  /** What the guest gave up: it has so much less than before. 0 if it has more. */
  readonly givenUp: number;
  /** How much less QEMU has in the host's RAM. 0 if it has more: a guest that was given memory uses it bit by bit. */
  readonly freed: number;
  /** What is known of why the host got clearly less than the guest gave up. Empty if it did not, or nothing is known. */
  readonly why: readonly string[];
}

/** One side of such a change. */
export interface HostSide {
  readonly memory: LiveMemory;
  readonly host?: HostMemory;
}

const MIB = 2 ** 20;
/** What is less than this part of what was given up is no shortfall: QEMU and the guest go on while we look. */
const PART = 16;

/** What a change did to the host's memory; null where the host's is not known on both sides. Pure. */
export function hostChange(before: HostSide, after: HostSide): HostMemoryChange | null {
  if (before.host === undefined || after.host === undefined) return null;
  const givenUp = Math.max(0, guestHas(before) - guestHas(after));
  const freed = Math.max(0, before.host.resident - after.host.resident);
  const why = fellShort({ givenUp, freed }) ? reasons(before, before.host, after.host) : [];
  return { before: before.host, after: after.host, givenUp, freed, why };
}

/** Whether the host got clearly less than the guest gave up. */
export function fellShort({ givenUp, freed }: Pick<HostMemoryChange, "givenUp" | "freed">): boolean {
  return givenUp - freed > Math.max(MIB, givenUp / PART);
}

/** What the guest has in all, by whichever device. */
function guestHas({ memory }: HostSide): number {
  return memoryNow(memory) + (memory.virtioMem ?? 0);
}

/** Facts only: each is what the kernel or QEMU says. */
function reasons(before: HostSide, had: HostMemory, has: HostMemory): readonly string[] {
  const guest = guestHas(before);
  const held = had.resident + had.swapped;
  return [
    ...(has.huge >= MIB
      ? [`${about(has.huge)} are huge pages (hugetlbfs), and one goes back only when the guest has given up all of it`]
      : []),
    ...(has.locked >= MIB ? [`${about(has.locked)} are locked (VmLck), and the kernel frees no locked page`] : []),
    ...(has.pinned >= MIB ? [`${about(has.pinned)} are pinned by devices (VmPin)`] : []),
    ...(has.keepers === undefined ? [] : [`QEMU frees nothing of it while it has ${has.keepers.join(", ")} (VFIO)`]),
    ...(had.swapped - has.swapped >= MIB ? [`${about(had.swapped - has.swapped)} were in swap, and are freed there`] : []),
    ...(guest - held >= MIB
      ? [
          `the host held only ${about(held)} of the guest's ${about(guest)} before: memory that a guest never touched, or gave up earlier, frees nothing`,
        ]
      : []),
  ];
}

/** Whole MiB, as more would pretend to know. */
function about(bytes: number): string {
  return formatSize(Math.round(bytes / MIB) * MIB);
}
