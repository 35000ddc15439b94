import { AssertionError } from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

/**
 * Checks that a value has at least the wanted members. Other members may be anything. A RegExp stands for any text that it matches.
 * Lists must have equal length.
 */
export function has(actual: unknown, wanted: unknown): void {
  const found = difference(actual, wanted, "");
  if (found === undefined) return;
  throw new AssertionError({ message: `${found}\n  in ${inspect(actual, { depth: 8, breakLength: 160 })}`, stackStartFn: has });
}

/** The error that a promise rejects with. Fails if it resolves, or if the error has another code. */
export async function failure(promise: Promise<unknown>, code: string): Promise<Error & { readonly report?: unknown }> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === code) return error;
    throw error;
  }
  throw new AssertionError({ message: `expected an error "${code}", got ${inspect(value, { depth: 8 })}`, stackStartFn: failure });
}

function difference(actual: unknown, wanted: unknown, place: string): string | undefined {
  if (wanted instanceof RegExp) return typeof actual === "string" && wanted.test(actual) ? undefined : differs(place, actual, wanted);
  if (typeof wanted !== "object" || wanted === null) return Object.is(actual, wanted) ? undefined : differs(place, actual, wanted);
  if (typeof actual !== "object" || actual === null) return differs(place, actual, wanted);
  if (Array.isArray(wanted) && (!Array.isArray(actual) || actual.length !== wanted.length)) return differs(place, actual, wanted);
  if (Object.keys(wanted).length === 0) return isDeepStrictEqual(actual, wanted) ? undefined : differs(place, actual, wanted);
  for (const [key, member] of Object.entries(wanted)) {
    const found = difference((actual as Record<string, unknown>)[key], member, `${place}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function differs(place: string, actual: unknown, wanted: unknown): string {
  return `${place === "" ? "value" : place.slice(1)}: ${inspect(actual, { depth: 3 })} where ${inspect(wanted, { depth: 3 })} is wanted`;
}
