import { formatJson, fromPlain } from "../json/json-value.ts";
import type { Timeline } from "../transcript/timeline.ts";

/**
 * The greeting for a monitor's `nth` client (from 0): the recorded one, else the one that any client got in the recording, else one of the
 * version that the transcript names. `oob` says whether out-of-band is offered; as recorded unless told.
 */
export function greetingOf({ prologues, transcript }: Timeline, monitor: string, nth: number, oob: boolean | undefined): string {
  const recorded =
    prologues.filter((it) => it.monitor === monitor)[nth]?.greeting ?? prologues.find((it) => it.greeting !== undefined)?.greeting;
  const [major = 10, minor = 0, micro = 0] = (transcript.provenance["qemu"] ?? "10.0.0")
    .split(/[. ]/)
    .map((it) => Number.parseInt(it, 10) || 0);
  const text =
    recorded ?? formatJson(fromPlain({ QMP: { version: { qemu: { micro, minor, major }, package: "" }, capabilities: ["oob"] } }));
  return oob === undefined ? text : text.replace(/"capabilities": ?\[[^\]]*\]/, `"capabilities": [${oob ? '"oob"' : ""}]`);
}

/** The major version of the recorded QEMU, by its greeting, else by the transcript's head. */
export function majorOf(timeline: Timeline): number {
  return Number(/"major": ?(\d+)/.exec(greetingOf(timeline, "", 0, undefined))?.[1] ?? 0);
}
