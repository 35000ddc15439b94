import { parseSize } from "../../config/size.ts";
import { UsageError } from "../../errors.ts";
import type { Complain } from "./resource.ts";

/**
 * A size of an allocation file, in bytes; undefined, and a complaint, where it is no text. @throws UsageError for a text that is no size
 */
export function sizeIn(value: unknown, place: string, complain: Complain): number | undefined {
  if (typeof value !== "string") return void complain(place, value, 'a text with a unit, as "512M"');
  try {
    return parseSize(value);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`allocation: ${place}: ${cause.message}`, { value, expected: cause.expected }, { cause });
  }
}

/** A count of an allocation file; undefined, and a complaint, where it is no number. */
export function countIn(value: unknown, place: string, complain: Complain): number | undefined {
  return typeof value === "number" ? value : void complain(place, value, "a number");
}
