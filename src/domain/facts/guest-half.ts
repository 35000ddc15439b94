/** One vCPU as the guest's kernel has it. Its number is the kernel's own, which need not be QEMU's. */
export interface GuestVcpu {
  readonly id: number;
  readonly online: boolean;
  /** The guest says that it can't be taken offline. */
  readonly fixed: boolean;
}

/** What the guest itself has, as its agent says. */
export interface GuestHalf {
  readonly vcpus: readonly GuestVcpu[];
  /** The memory that its kernel has online, in bytes; null where the agent has no word for it. */
  readonly memory: number | null;
}

/** The guest could not be asked: why. Then nothing is known of it, and nothing may be concluded. */
export interface GuestUnknown {
  readonly unknown: string;
}

/** What the agent says of a guest, or why it says nothing. */
export type GuestWord = GuestHalf | GuestUnknown;

/** How many vCPUs the guest has online; null if it was not asked, or nothing is known. */
export function onlineInGuest(word: GuestWord | undefined): number | null {
  return word === undefined || "unknown" in word ? null : word.vcpus.filter(({ online }) => online).length;
}
