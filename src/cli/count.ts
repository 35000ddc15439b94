import { misuse } from "./options.ts";

/** A whole number as typed, from 0 up. The library checks whether it fits the machine. @throws UsageError for anything else */
export function parseCount(text: string, what: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw misuse(`${what} ${JSON.stringify(text)}: not a whole number`, text, "a whole number, such as 2");
}
