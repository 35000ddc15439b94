import { UsageError } from "../errors.ts";

const UNITS = ["", "K", "M", "G", "T", "P", "E"] as const;
const SIZE = /^(\d{1,15})(?:(bytes?|b)|(K|M|G|T|P|E)(i|iB)?)?$/i;
/** The same for a JSON Schema, which has no flag for large and small letters. Not all of these are sizes: 0M, for example. */
export const SIZE_PATTERN = "^\\s*[0-9]{1,15}([bB]([yY][tT][eE][sS]?)?|[kKmMgGtTpPeE]([iI][bB]?)?)?\\s*$";

/**
 * Reads a size with its unit, as `300M`, `1GiB`, `512Mi` or `1048576B`, and returns bytes. All units are binary, as in QEMU. A bare number
 * is refused, because virsh reads it as KiB and QEMU as MiB. So are KB, MB and GB: they are 10^3, 10^6 and 10^9 for virsh, and binary for
 * many others.
 *
 * @throws UsageError when the text is anything else
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  if (match === null) throw refusal(text, ...whatElse(text.trim()));
  const [, digits = "", plain, unit = ""] = match;
  if (plain === undefined && unit === "") {
    throw refusal(
      text,
      `a bare number could be ${digits}KiB (as virsh counts) or ${digits}MiB (as QEMU counts): write ${digits}M or ${digits}K`,
    );
  }
  const bytes = Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase() as "K");
  if (bytes > Number.MAX_SAFE_INTEGER) throw refusal(text, "more than a machine can have");
  if (bytes === 0) throw refusal(text, "nothing");
  if (bytes % 1024 !== 0) throw refusal(text, `not a whole number of KiB: write ${Math.ceil(bytes / 1024)}K`);
  return bytes;
}

const NONE = /^0+(bytes?|b|[KMGTPE](i|iB)?)?$/i;

/** Reads a size that may be nothing (`0`, with or without a unit), and returns bytes. @throws UsageError as {@link parseSize} does */
export function parseSizeOrNone(text: string): number {
  return NONE.test(text.trim()) ? 0 : parseSize(text);
}

/**
 * Writes a number of bytes in the largest binary unit that keeps it whole: `300MiB`, `1GiB`. Bytes that are no whole number of KiB become
 * `1000B`, which {@link parseSize} does not accept.
 */
export function formatSize(bytes: number): string {
  let size = bytes;
  let power = 0;
  while (size !== 0 && size % 1024 === 0 && power < UNITS.length - 2) {
    size /= 1024;
    power++;
  }
  return `${size}${UNITS[power] ?? ""}${power === 0 ? "B" : "iB"}`;
}

const EXPECTED = "a whole number with a unit, as 300M or 1GiB; K, M, G, T or P";

/** Why a text is no size, and what would be right. */
function whatElse(text: string): readonly [why: string, expected?: string] {
  const decimal = /^(\d{1,15})([KMGTPE])B$/i.exec(text);
  if (decimal !== null) {
    const [, digits = "", letter = ""] = decimal;
    const unit = letter.toUpperCase() as "K";
    const bytes = Number(digits) * 1000 ** UNITS.indexOf(unit);
    const fewer = bytes >= 2 ** 20 ? `${Math.floor(bytes / 2 ** 20)}M` : `${Math.floor(bytes / 1024)}K`;
    const reading =
      bytes < 1024 ? `${digits}${unit}` : `${digits}${unit}, or ${fewer} for ${digits} times 1000^${UNITS.indexOf(unit)} bytes`;
    return [`${unit}B is ${unit}iB to some, and a power of 1000 to virsh: write ${reading}`, reading];
  }
  const broken = /^(\d{1,12}\.\d{1,6})([KMGTP])(?:i|iB)?$/i.exec(text);
  const [, number = "", letter = ""] = broken ?? [];
  const bytes = Number(number) * 1024 ** UNITS.indexOf(letter.toUpperCase() as "K");
  if (broken !== null && Number.isSafeInteger(bytes) && bytes > 0 && bytes % 1024 === 0) {
    return [`not a whole number: write ${formatSize(bytes)}`, `a text with a whole number and its unit, as ${formatSize(bytes)}`];
  }
  if (/^[+-]=?\d|%$/.test(text)) return ["a size here is the final one, not a percentage and not a difference"];
  return ["not a whole number with a unit"];
}

function refusal(text: string, why: string, expected: string = EXPECTED): UsageError {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return new UsageError(`size ${shown}: ${why}`, { value: text, expected });
}

/** What was probably meant by a value that is no size, as `300M, or 286M for …`; `undefined` if that is not clear. */
export function sizeMeant(value: unknown): string | undefined {
  const [, meant] = typeof value === "string" ? whatElse(value.trim()) : [];
  return meant;
}

/** Whether {@link parseSize} accepts a text. */
export function isSize(text: string): boolean {
  return accepts(parseSize, text);
}

/** Whether {@link parseSizeOrNone} accepts a text. */
export function isSizeOrNone(text: string): boolean {
  return accepts(parseSizeOrNone, text);
}

function accepts(parse: (text: string) => number, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
