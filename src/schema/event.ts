import type { Timestamp } from "./message.ts";
import type { DataOf, KnownEvent } from "./vocabulary.ts";

/**
 * One event. `data` is absent for events that have none.
 *
 * - `QmpEvent<"RESET">` is this one event, `QmpEvent<"RESET" | "STOP">` one of the two: comparing `event` tells which, and so the type of
 *   `data`.
 * - `QmpEvent` is any event that a recorded QEMU has. A QEMU may also send an event that none of them has.
 * - `QmpEvent<string>` is an event of which nothing is known: its `data` is `unknown`.
 */
export type QmpEvent<Name extends string = KnownEvent> = Name extends string ? OneEvent<Name> : never;

interface OneEvent<Name extends string> {
  readonly event: Name;
  readonly data: DataOf<Name>;
  readonly timestamp: Timestamp;
}
