import { readKernelFile } from "./kernel-file.ts";
import { startTime } from "./threads.ts";

const TICKS = 100;

/** Milliseconds since a process was started; 0 if it has ended. Source: /proc/uptime and field 22 of /proc/PID/stat. */
export async function uptimeOf(pid: number): Promise<number> {
  const [text, started] = [readKernelFile("/proc/uptime"), await startTime(pid)];
  return started === undefined ? 0 : Math.max(0, Math.round(Number(text.split(" ")[0]) * 1000 - (started * 1000) / TICKS));
}
