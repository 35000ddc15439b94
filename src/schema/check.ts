import { z } from "zod/v3";
import type { Complaint, Greeting, VersionInfo } from "./message.ts";
import { quickCheck, type QuickCheck } from "./quick.ts";

/** The check of a reply or an event. Members that newer versions of QEMU add are allowed, and kept. */
export type Check<T> = z.ZodType<T, z.ZodTypeDef, unknown>;

/** The version, as the greeting and `query-version` give it (qapi/control.json). */
export const versionInfo: Check<VersionInfo> = z
  .object({ qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }).passthrough(), package: z.string() })
  .passthrough();

/** The greeting (docs/interop/qmp-spec), the first message of a monitor. Capabilities are not checked: a newer QEMU may add kinds. */
export const greeting: Check<{ readonly QMP: Greeting }> = z
  .object({ QMP: z.object({ version: versionInfo, capabilities: z.array(z.unknown()) }).passthrough() })
  .passthrough();

/** A check as a function, which is quick when nothing is wrong. */
export function complaint(check: z.ZodTypeAny): Complaint {
  const quick: QuickCheck = quickCheck(check);
  return (value) => {
    if (quick(value)) return undefined;
    // zod collects every mistake, and a long list may have millions.
    if (check instanceof z.ZodArray && Array.isArray(value) && value.length > SOME) return firstOf(value, check);
    const result = check.safeParse(value);
    return result.success ? undefined : { why: explain(result.error), cause: result.error };
  };
}

/** How much of a list is checked at a time. */
const SOME = 1000;

function firstOf(list: readonly unknown[], check: z.ZodTypeAny): ReturnType<Complaint> {
  for (let from = 0; from < list.length; from += SOME) {
    const result = check.safeParse(list.slice(from, from + SOME));
    if (!result.success) return { why: explain(result.error, from), cause: result.error };
  }
  return undefined;
}

/** The first mistake, as `0.status: expected string, received number`. `from` is the position of the checked part in its list. */
export function explain(error: z.ZodError, from = 0): string {
  const first = error.issues[0];
  if (first === undefined) return error.message;
  const why = first.code === "invalid_type" ? `expected ${first.expected}, received ${first.received}` : first.message;
  const path = first.path.map((step, at) => (at === 0 && typeof step === "number" ? step + from : step));
  return path.length === 0 ? why : `${path.join(".")}: ${why}`;
}
