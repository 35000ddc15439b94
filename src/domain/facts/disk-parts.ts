import type { DiskLimits } from "../../config/disk-limits.ts";

/** One disk or drive of a running machine. */
export interface LiveDisk {
  /** What qmpctl calls it: the id of its device, else of its drive, else the name of its node, else its path in QEMU. */
  readonly name: string;
  /** Every other name that it has. */
  readonly names: readonly string[];
  /** How QEMU's commands name its device; null where no device has it. */
  readonly qdev: string | null;
  /** The id of its drive, of `-drive`; null where it has none. */
  readonly drive: string | null;
  readonly removable: boolean;
  /** Whether the guest holds the medium in it. */
  readonly locked: boolean;
  readonly trayOpen: boolean;
  /** It has no tray, as a floppy drive. */
  readonly noTray?: true;
  /** What is in it; null: nothing. */
  readonly medium: LiveMedium | null;
}

/** What is in a drive. Sizes in bytes. */
export interface LiveMedium {
  readonly node: string | null;
  readonly file: string;
  readonly format: string;
  /** The size that the guest sees. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly limits: DiskLimits;
  /** The group that its limits belong to, by QEMU's name: always one where there are limits. */
  readonly group: string | null;
  /** The throttle group of a node beneath it, whose limits these are then. */
  readonly throttleNode: string | null;
}
