import { writeFile } from "node:fs/promises";

/** What it writes on its console when it is up. */
export const TINY_UP = "TINY-GUEST-UP";
/** What it writes on its console when the power button was pressed, before it switches itself off. */
export const TINY_OFF = "TINY-GUEST-OFF";

/**
 * A boot sector for the 8086, as it is loaded to 7C00: it writes the first text behind it on the first serial port, and waits for the power
 * button of a q35; then it writes the second, and switches itself off. The button's registers are those of ICH9 (PM1_STS, PM1_EN and
 * PM1_CNT), which SeaBIOS puts to 600.
 */
const PROGRAM: readonly string[] = [
  "fc fb 31 c0 8e d8", // cld; sti; xor ax,ax; mov ds,ax
  "ba 02 06 b8 00 01 ef", // mov dx,602; mov ax,100; out dx,ax: the button may say that it was pressed
  "be 36 7c e8 17 00", // mov si,7c36; call 7c2a
  "f4 ba 00 06 ed f6 c4 01 74 f6", // hlt, until the timer's next tick; mov dx,600; in ax,dx; test ah,1; jz to the hlt
  "e8 0a 00", // call 7c2a
  "ba 04 06 b8 00 20 ef", // mov dx,604; mov ax,2000; out dx,ax: off
  "f4 eb fd", // hlt, and again
  "ba f8 03 ac 84 c0 74 03 ee eb f8 c3", // 7c2a: mov dx,3f8; lodsb; test al,al; jz to the ret; out dx,al; jmp to the lodsb; ret
];

/** Writes the disk of a guest that is up in a moment, and has a power button and a console, and nothing else. */
export async function writeTinyGuest(path: string): Promise<void> {
  const program = Buffer.from(PROGRAM.join("").replaceAll(" ", ""), "hex");
  // SeaBIOS does not read a disk that is as small as its boot sector.
  const disk = Buffer.alloc(2 ** 20);
  Buffer.concat([program, Buffer.from(`${TINY_UP}\r\n\0${TINY_OFF}\r\n\0`)]).copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  await writeFile(path, disk);
}

/** QEMU's arguments for it: its disk is not written, and may be another user's. Its console is the first serial port. */
export function tinyGuestArgs(disk: string): readonly string[] {
  return ["-machine", "q35,accel=tcg", "-nodefaults", "-drive", `file=${disk},format=raw,snapshot=on`];
}
