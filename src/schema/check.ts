import { z } from "zod/v3";
import type { Complaint, Greeting, VersionInfo } from "./message.ts";
import { quickCheck, type QuickCheck } from "./quick.ts";

/** A reply's or an event's check. Open: members that newer versions of QEMU add pass, and are kept. */
export type Check<T> = z.ZodType<T, z.ZodTypeDef, unknown>;

/** The version as the greeting and `query-version` give it (qapi/control.json). */
export const versionInfo: Check<VersionInfo> = z
  .object({ qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }).passthrough(), package: z.string() })
  .passthrough();

/** The greeting (docs/interop/qmp-spec): the first message of a monitor. Capabilities stay unchecked, newer QEMU may add kinds. */
export const greeting: Check<{ readonly QMP: Greeting }> = z
  .object({ QMP: z.object({ version: versionInfo, capabilities: z.array(z.unknown()) }).passthrough() })
  .passthrough();

/** A check as a function that is quick when there is nothing to complain of. */
export function complaint(check: z.ZodTypeAny): Complaint {
  const quick: QuickCheck = quickCheck(check);
  return (value) => {
    if (quick(value)) return undefined;
    const result = check.safeParse(value);
    return result.success ? undefined : { why: explain(result.error), cause: result.error };
  };
}

/** One mistake, as `0.status: expected string, received number`. */
export function explain(error: z.ZodError): string {
  const first = error.issues[0];
  if (first === undefined) return error.message;
  const why = first.code === "invalid_type" ? `expected ${first.expected}, received ${first.received}` : first.message;
  return first.path.length === 0 ? why : `${first.path.join(".")}: ${why}`;
}
