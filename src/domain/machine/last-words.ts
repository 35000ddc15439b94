import { join } from "node:path";
import { readTail } from "../../config/safe-file.ts";

/** The file in a run-time folder that QEMU's stdout and stderr go to. */
export const OUTPUT = "output";

/** What a version before this one kept QEMU's words in. */
const EARLIER: readonly string[] = ["stderr", "log"];

/** What QEMU wrote on stdout and stderr, in lines; empty without a run-time folder of ours. */
export async function outputOf(folder: string | null): Promise<readonly string[]> {
  if (folder === null) return [];
  const texts = await Promise.all([...EARLIER, OUTPUT].map((name) => readTail(join(folder, name))));
  return texts.join("").split("\n").map((line) => line.trimEnd()).filter((line) => line !== "" && !isTrace(line));
}

/** The trace event that tells why QEMU ends. */
export const SHUTDOWN_TRACE = "qemu_system_shutdown_request";

/** QEMU's own note of why it ends, which `start` asks it for: told in words of ours. */
export function isTrace(line: string): boolean {
  return line.includes(SHUTDOWN_TRACE);
}

/** The last lines that QEMU wrote, in one; null where it wrote none, or none after the first `told`. */
export async function lastWords(folder: string | null, told: number = 0): Promise<string | null> {
  const lines = (await outputOf(folder)).slice(told).slice(-3).join(" / ");
  return lines === "" ? null : lines;
}
