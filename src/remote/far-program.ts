import { sha256 } from "../digest.ts";

/** The program that the far end runs, compressed, and its digest. */
export interface FarProgram {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** A program with its digest. */
export function farProgram(bytes: Uint8Array): FarProgram {
  return { bytes, sha256: sha256(bytes) };
}
