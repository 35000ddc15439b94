import { formatJson, fromPlain } from "../json/json-value.ts";
import type { Timeline } from "../transcript/timeline.ts";

/**
 * What a monitor greets its `nth` client with (from 0): what it said to that one in the recording, else what it said to anybody, else a
 * greeting
 * of the version that the transcript names. `oob` says whether out-of-band is offered, where that is not to be as recorded.
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

/** The major version of the QEMU that was recorded: as it greeted, else as the transcript says. */
export function majorOf(timeline: Timeline): number {
  return Number(/"major": ?(\d+)/.exec(greetingOf(timeline, "", 0, undefined))?.[1] ?? 0);
}
