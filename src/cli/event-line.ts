import type { MonitorEvent } from "../domain/facade.ts";
import { oneLine } from "./harmless.ts";
import { type Paint, toJson } from "./output.ts";

/** An event for people: the local time, its name, its data. */
export function eventLine({ event, data, timestamp }: MonitorEvent, paint: Paint): string {
  const time = new Date(timestamp.seconds * 1000 + timestamp.microseconds / 1000);
  const clock = `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return `${paint(clock, "dim")}  ${paint(oneLine(event), "bold")}${data === undefined ? "" : `  ${toJson(data)}`}`;
}
