/** How memory is balanced. Sizes in bytes, times in milliseconds. */
export interface BalanceSettings {
  /** What the host keeps for itself of its available memory. */
  readonly keepFree: number;
  /** The most that the balanced guests have together; the host's memory alone is the limit if absent. */
  readonly atMost?: number | undefined;
  /** How long a guest rests between two moves in opposite directions. */
  readonly rest: number;
  /** How long a guest is left alone after somebody else has moved its memory. */
  readonly handsOff: number;
  /** How often a round is made. */
  readonly every: number;
}

/** Bytes of a MiB. */
export const MIB: number = 2 ** 20;
const GIB = 2 ** 30;

/** What people get if they say nothing. `keepFree` depends on the host: a tenth of it, 512 MiB at least and 16 GiB at most. */
export function usualSettings(hostTotal: number): BalanceSettings {
  const keepFree = Math.min(16 * GIB, Math.max(512 * MIB, Math.floor(hostTotal / 10)));
  return { keepFree: Math.min(keepFree, Math.floor(hostTotal / 2)), rest: 60_000, handsOff: 600_000, every: 5000 };
}

/** Moves are of whole MiB: everybody can read them, and the balloon's pages fit. */
export const downToMib = (bytes: number): number => Math.floor(bytes / MIB) * MIB;
/** See `downToMib`. */
export const upToMib = (bytes: number): number => Math.ceil(bytes / MIB) * MIB;

/** A size as it stands in a reason: whole MiB, as more would pretend to know. */
export const about = (bytes: number): string => `${Math.round(bytes / MIB)}MiB`;

/** A time as it stands in a reason. */
export const timeOf = (milliseconds: number): string =>
  milliseconds >= 120_000 ? `${Math.round(milliseconds / 60_000)} min` : `${Math.max(1, Math.round(milliseconds / 1000))} s`;
