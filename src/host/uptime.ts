import { readFile } from "node:fs/promises";
import { startTime } from "./threads.ts";

const TICKS = 100;

/** Milliseconds since a process was started; 0 where it is gone. Source: /proc/uptime and field 22 of /proc/PID/stat. */
export async function uptimeOf(pid: number): Promise<number> {
  const [text, started] = await Promise.all([readFile("/proc/uptime", "utf8"), startTime(pid)]);
  return started === undefined ? 0 : Math.max(0, Math.round(Number(text.split(" ")[0]) * 1000 - (started * 1000) / TICKS));
}
