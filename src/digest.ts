import { getBuiltinModule } from "node:process";

/**
 * SHA-256 of a text, in hex. `node:crypto` is loaded when it is first called: with it come forty modules of Node,
 * and a command line that needs no digest should not pay for them.
 */
export function sha256(text: string): string {
  return getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}

const HEX = "0123456789abcdef";
const WORD = `${HEX}ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ`;

/** Random hex digits: not secret, only not met twice. Node seeds Math.random from the system's entropy in each process. */
export function randomHex(length: number): string {
  return pick(HEX, length);
}

/** Random letters and digits, of which three make 238,328 words. See `randomHex`. */
export function randomWord(length: number): string {
  return pick(WORD, length);
}

function pick(from: string, length: number): string {
  return Array.from({ length }, () => from[Math.floor(Math.random() * from.length)]).join("");
}
