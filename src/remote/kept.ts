import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { ConfigError } from "../config/config-error.ts";
import { readSafely, replaceFile } from "../config/safe-file.ts";
import { anything, boolean, number, object, optional, string } from "../shape.ts";
import type { CarriedError } from "./carried-error.ts";

/** A call as it is kept by its key. */
export interface Kept {
  /** Of what was asked: the same key never stands for two requests. */
  readonly digest: string;
  readonly domain: string;
  /** `waits`, `begun`, `done` or `failed`. */
  readonly state: string;
  /** When it was asked for, by this host's clock, and how long it may take, in milliseconds. */
  readonly start?: number | undefined;
  readonly patience?: number | undefined;
  readonly value?: unknown;
  readonly failure?: unknown;
  /** There was no room for its value, or its evidence. */
  readonly isShort?: boolean | undefined;
}

const SHAPE = object({
  digest: string,
  domain: string,
  state: string,
  start: optional(number),
  patience: optional(number),
  value: optional(anything),
  failure: optional(anything),
  isShort: optional(boolean),
});

/** The largest record, in bytes. */
const LIMIT = 16 * 1024 * 1024;
/** How much room is taken for the end of a call before it begins, in bytes: a disk that is full by then takes it all the same. */
const ROOM = 32 * 1024;

/** What is kept; null if nothing is. What can't be read stands for a call that had begun. */
export async function readKept(path: string): Promise<Kept | null> {
  try {
    const kept: unknown = JSON.parse((await readSafely(path, LIMIT)).text);
    if (SHAPE.fits(kept)) return kept;
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { digest: "", domain: "", state: "begun" };
}

/** Keeps that a call is under way, and takes the room for its end. @throws HostError when there is none */
export async function writeKept(path: string, kept: Kept): Promise<void> {
  await replaceFile(path, JSON.stringify(kept).padEnd(ROOM), { flush: true });
}

/**
 * Keeps how a call ended. Whatever stands in the way: it has ended so, and who asked is told so. Where there is no room for a new file, the
 * room that was taken is used.
 */
export async function keepLast(path: string, kept: Kept): Promise<void> {
  const text = JSON.stringify(kept);
  await replaceFile(path, text, { flush: true }).catch(() => overwrite(path, text, shortened(kept)).catch(() => undefined));
}

/** Without what can be long. */
function shortened({ value: _, failure, ...kept }: Kept): Kept {
  if (failure === undefined) return { ...kept, isShort: true };
  const { kind, message, code } = failure as CarriedError;
  return { ...kept, failure: { kind, message, code }, isShort: true };
}

/** Writes over what is there. A reader in between, or after a crash in between, reads what stands for a call that had begun. */
async function overwrite(path: string, text: string, short: Kept): Promise<void> {
  await using file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  const { size } = await file.stat();
  const fitting = Buffer.byteLength(text) <= size ? text : JSON.stringify(short);
  await file.write(Buffer.concat([Buffer.from(fitting), Buffer.alloc(Math.max(0, size - Buffer.byteLength(fitting)), " ")]), 0, null, 0);
  await file.sync();
}
