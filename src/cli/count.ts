import { misuse } from "./options.ts";

/** A whole number as typed, 0 and up; whether it fits the machine is for the library to say. */
export function parseCount(text: string, what: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw misuse(`${what} ${JSON.stringify(text)}: not a whole number`, text, "a whole number, as 2");
}
