import type { DomainState } from "../model/change.ts";

/** What is seen at one moment: the host and its guests. Sizes in bytes. */
export interface Observation {
  /** Milliseconds of a clock that only goes on. */
  readonly now: number;
  readonly host: HostObservation;
  readonly guests: readonly GuestObservation[];
}

/** The host's memory. */
export interface HostObservation {
  readonly total: number;
  /** What its programs could get without swapping: MemAvailable. */
  readonly available: number;
  /** How much of the last ten seconds some or all programs waited for memory, in percent (PSI); null if its kernel does not tell. */
  readonly pressure: { readonly some: number; readonly full: number } | null;
  /** What it has read from swap since the look before, in bytes a second; null at the first look. */
  readonly swapIn: number | null;
}

/** One machine. */
export interface GuestObservation {
  readonly name: string;
  readonly state: DomainState;
  /** Why it does not answer, or its guest says nothing. */
  readonly why?: string | undefined;
  /** Which QEMU it is: its pid. */
  readonly machine: number | null;
  /** The config's `memory.min` and `memory.max`; `min` null: it has none, and the guest is left alone. */
  readonly limits: { readonly min: number | null; readonly max: number } | null;
  /** What the balloon leaves the guest, what it is to leave it, and what it can at most; null without a balloon. */
  readonly balloon: { readonly actual: number; readonly target: number; readonly most: number } | null;
  /** What QEMU has in the host's RAM; null if that is not known. */
  readonly resident: number | null;
  /** Why the host gets nothing of what this guest gives back; absent if it does. */
  readonly kept?: string | undefined;
  /** What the guest said last; null if it has said nothing. */
  readonly word: GuestWord | null;
  /** ISO 8601: until then its memory is held by a change with an end; absent if it is not. */
  readonly until?: string | undefined;
  /** How often QEMU asks the guest, in seconds; 0: never. */
  readonly period: number | null;
}

/** The guest's own figures that decide: bytes, and counts since its boot. Null: it does not tell this one. */
export interface GuestWord {
  /** Seconds since 1970 by the clock of QEMU's host. It tells one word from the next. */
  readonly at: number;
  /** What its programs could get: unused memory, and caches that it would give up. */
  readonly available: number;
  readonly swapIn: number | null;
  readonly swapOut: number | null;
  readonly majorFaults: number | null;
  readonly oomKills: number | null;
}
