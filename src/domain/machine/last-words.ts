import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTail, removeQuietly } from "../../config/safe-file.ts";
import { messageOf } from "../../errors.ts";

/** The file in a run-time folder that QEMU's stdout and stderr go to. */
export const OUTPUT = "output";

/** The names of that file in earlier versions. */
const EARLIER: readonly string[] = ["stderr", "log"];

/** The lines that QEMU wrote on stdout and stderr; none without a run-time folder of ours. */
export async function outputOf(folder: string | null): Promise<readonly string[]> {
  if (folder === null) return [];
  const texts = await Promise.all([...EARLIER, OUTPUT].map((name) => readTail(join(folder, name))));
  return texts
    .join("")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !isTrace(line));
}

/** The trace event that tells why QEMU ends. */
export const SHUTDOWN_TRACE = "qemu_system_shutdown_request";

/** Whether a line is QEMU's own note of why it ends, which `start` asks for. We report it in words of our own. */
export function isTrace(line: string): boolean {
  return line.includes(SHUTDOWN_TRACE);
}

/** The last lines that QEMU wrote, joined; null if it wrote none after the first `told` lines. */
export async function lastWords(folder: string | null, told: number = 0): Promise<string | null> {
  const lines = (await outputOf(folder)).slice(told).slice(-3).join(" / ");
  return lines === "" ? null : lines;
}

/** More than one block of any file system. */
const PROBE = 64 * 1024;

/**
 * Why QEMU's output can't be kept in its run-time folder, in words that follow others; empty if there is room. On a full disk the output is
 * lost, and QEMU itself ends without its pidfile.
 */
export async function whyNotKept(folder: string): Promise<string> {
  const path = join(folder, "probe");
  try {
    await writeFile(path, "x".repeat(PROBE), { mode: 0o600, flag: "wx" });
    return "";
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code ?? "";
    return ["ENOSPC", "EDQUOT", "EROFS", "EIO"].includes(code)
      ? `, and its output could not be kept: ${folder}: ${messageOf(cause).replace(/, \w+( '.*')?$/, "")}`
      : "";
  } finally {
    await removeQuietly(path);
  }
}
