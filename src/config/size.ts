import { UsageError } from "../errors.ts";

const UNITS = ["", "K", "M", "G", "T", "P"] as const;
const SIZE = /^(\d{1,15})(?:(K|M|G|T|P)(?:i?B)?)?$/i;

/**
 * Reads a size with its unit, as `300M`, `1GiB` or `2tb`: binary units throughout, as QEMU counts. Bytes come back.
 * UsageError for anything else. A bare number is refused, as virsh reads it as KiB and QEMU as MiB.
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  if (match === null) throw refusal(text, "not a whole number with a unit");
  const [, digits = "", unit] = match;
  if (unit === undefined) {
    const readings = `${digits}KiB (as virsh counts) or ${digits}MiB (as QEMU counts)`;
    throw refusal(text, `a bare number could be ${readings}`, readings);
  }
  const bytes = Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase() as "K");
  if (bytes > Number.MAX_SAFE_INTEGER) throw refusal(text, "more than a machine can have");
  if (bytes === 0) throw refusal(text, "nothing");
  return bytes;
}

/** Writes a number of bytes in the largest binary unit that keeps it whole: `300MiB`, `1GiB`; bytes that fill no KiB as `1000B`, which no reader of ours takes. */
export function formatSize(bytes: number): string {
  let size = bytes;
  let power = 0;
  while (size !== 0 && size % 1024 === 0 && power < UNITS.length - 1) {
    size /= 1024;
    power++;
  }
  return `${size}${UNITS[power] ?? ""}${power === 0 ? "B" : "iB"}`;
}

function refusal(text: string, why: string, expected = "a whole number with a unit, as 300M or 1GiB; K, M, G, T or P"): UsageError {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return new UsageError(`size ${shown}: ${why}`, { value: text, expected });
}

/** Whether `parseSize` takes it. */
export function isSize(text: string): boolean {
  try {
    parseSize(text);
    return true;
  } catch {
    return false;
  }
}
