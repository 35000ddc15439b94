import { anything, faultOf, list, number, object, type Shape, string } from "../shape.ts";
import type { Complaint, Greeting, VersionInfo } from "./message.ts";

/** The version as the greeting and `query-version` give it (qapi/control.json). */
export const versionInfo: Shape<VersionInfo> = object({ qemu: object({ major: number, minor: number, micro: number }), package: string });

/** The greeting (docs/interop/qmp-spec): the first message of a monitor. Capabilities stay unchecked, newer QEMU may add kinds. */
export const greeting: Shape<{ readonly QMP: Greeting }> = object({ QMP: object({ version: versionInfo, capabilities: list(anything) }) });

/** The check of a reply's or an event's shape. Open: members that newer versions of QEMU add pass, and are kept. */
export function complaint(shape: Shape<unknown>): Complaint {
  return (value) => {
    const fault = faultOf(shape, value);
    return fault === undefined ? undefined : { why: fault.message, cause: fault };
  };
}
