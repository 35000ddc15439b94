import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTail, removeQuietly } from "../../config/safe-file.ts";
import { messageOf } from "../../errors.ts";

/** The file in a run-time folder that QEMU's stdout and stderr go to. */
export const OUTPUT = "output";

/** What a version before this one kept QEMU's words in. */
const EARLIER: readonly string[] = ["stderr", "log"];

/** What QEMU wrote on stdout and stderr, in lines; empty without a run-time folder of ours. */
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

/** QEMU's own note of why it ends, which `start` asks it for: told in words of ours. */
export function isTrace(line: string): boolean {
  return line.includes(SHUTDOWN_TRACE);
}

/** The last lines that QEMU wrote, in one; null where it wrote none, or none after the first `told`. */
export async function lastWords(folder: string | null, told: number = 0): Promise<string | null> {
  const lines = (await outputOf(folder)).slice(told).slice(-3).join(" / ");
  return lines === "" ? null : lines;
}

/** More than one block of any file system. */
const PROBE = 64 * 1024;

/**
 * Why what QEMU says can't be kept in its run-time folder, in words that can stand behind others: a disk that is full swallows them, and
 * QEMU itself ends without its pidfile. Empty where
 * there is room.
 */
export async function whyNotKept(folder: string): Promise<string> {
  const path = join(folder, "probe");
  try {
    await writeFile(path, "x".repeat(PROBE), { mode: 0o600, flag: "wx" });
    return "";
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code ?? "";
    return ["ENOSPC", "EDQUOT", "EROFS", "EIO"].includes(code)
      ? `, and its words could not be kept: ${folder}: ${messageOf(cause).replace(/, \w+( '.*')?$/, "")}`
      : "";
  } finally {
    await removeQuietly(path);
  }
}
