import { UsageError } from "../errors.ts";

/** What is in a drive: a file, and the format of the image in it. */
export interface Medium {
  readonly format: string;
  /** A path from /, or what else QEMU opens, as `nbd://host/disc`. */
  readonly file: string;
}

/** What stands for a drive with nothing in it. */
export const NO_MEDIUM = "none";

/** Formats of images, by QEMU's names. */
const FORMATS = ["raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "parallels", "dmg", "cloop", "bochs", "luks"] as const;

/** Whether QEMU's driver of that name is a format of images. */
export function isFormat(driver: string): boolean {
  return (FORMATS as readonly string[]).includes(driver);
}

const PREFIX = new RegExp(`^(${FORMATS.join("|")}):(.*)$`, "s");

/** The format that a file has by its name: `/d.qcow2` is qcow2, and what says nothing is raw. */
export function formatOf(file: string): string {
  return /\.(qcow2|vmdk|vdi|vhdx)$/i.exec(file)?.[1]?.toLowerCase() ?? "raw";
}

/** A medium in one text: `/a.iso`, `raw:/strange.qcow2` where its name says another format, `none` for nothing. */
export function formatMedium(medium: Medium | null): string {
  if (medium === null) return NO_MEDIUM;
  return medium.format === formatOf(medium.file) ? medium.file : `${medium.format}:${medium.file}`;
}

/** Reads such a text; null is nothing. @throws UsageError when it is none */
export function parseMedium(text: string): Medium | null {
  if (text === NO_MEDIUM) return null;
  const [, format, rest = ""] = PREFIX.exec(text) ?? [];
  const file = format === undefined ? text : rest;
  if (!/^(\/|[a-z][a-z0-9+-]*:)/.test(file) || file.endsWith("/") || /[\x00-\x1f\x7f-\x9f]/.test(file))
    throw new UsageError(`medium ${JSON.stringify(text.slice(0, 80))}: not a file`, {
      value: text,
      expected: `a path from /, as /iso/a.iso or qcow2:/d.img, or ${NO_MEDIUM}`,
    });
  return { format: format ?? formatOf(file), file };
}
