import { formatSize } from "../config/size.ts";
import type { Resource, Value } from "./change.ts";

/** A resource's value as a person reads it: sizes with their unit, nothing as a dash. */
export function formatValue(resource: Resource, value: Value): string {
  if (value === null) return "-";
  return (resource === "memory" || resource === "max-memory") && typeof value === "number" ? formatSize(value) : String(value);
}

/** `what: why`, or only what. */
export function formatReason(what: string, why: string | undefined): string {
  return why === undefined ? what : `${what}: ${why}`;
}

/** `1 vCPU`, `2 vCPUs`. */
export function formatVcpus(count: number): string {
  return `${count} vCPU${count === 1 ? "" : "s"}`;
}

/** A word as a shell takes it back: as it is where it is plain, else quoted. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // A line of ours shows no control characters, and $'…' is how bash, zsh and ksh write them.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(word)) return `$'${word.replace(/[\\']/g, "\\$&").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, bytes)}'`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function bytes(char: string): string {
  return [...new TextEncoder().encode(char)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** A command line of this program that can be pasted into a shell, whatever its words have in them. */
export function commandLine(...words: readonly string[]): string {
  return ["qmpctl", ...words].map(shellWord).join(" ");
}
