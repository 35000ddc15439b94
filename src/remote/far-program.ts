import { Buffer } from "node:buffer";

/**
 * The program that the far end runs, as it is sent: each part a frame with its compressed text. The first part has what most calls read,
 * the
 * other one all the rest.
 */
export interface FarProgram {
  readonly first: () => Uint8Array;
  readonly more: () => Uint8Array;
}

/** A program by what reads the files that the build makes of it. Each is read once, however many hosts there are. */
export function farProgram(read: (name: string) => Uint8Array): FarProgram {
  const part = (member: string, name: string): (() => Uint8Array) => {
    let frame: Uint8Array | undefined;
    return () => (frame ??= Buffer.from(`{"${member}":"${Buffer.from(read(name)).toString("base64")}"}\n`));
  };
  return { first: part("program", "far-first.br"), more: part("more", "far-more.br") };
}
