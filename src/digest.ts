import { builtinModule } from "./builtin-module.ts";

/**
 * SHA-256 of a text or of bytes, in hex. `node:crypto` is loaded at the first call: it brings forty modules of Node, and a command that
 * needs no digest
 * should not pay for them.
 */
export function sha256(text: string | Uint8Array): string {
  return builtinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}

const HEX = "0123456789abcdef";

/**
 * Random hex digits. They are not secret; they only have to differ each time. Node seeds Math.random from the system's entropy in each
 * process.
 */
export function randomHex(length: number): string {
  return Array.from({ length }, () => HEX[Math.floor(Math.random() * HEX.length)]).join("");
}

/** A random UUID (version 4). */
export function randomUuid(): string {
  return [randomHex(8), randomHex(4), `4${randomHex(3)}`, `${"89ab"[Math.floor(Math.random() * 4)]}${randomHex(3)}`, randomHex(12)].join(
    "-",
  );
}
