/** x86 code for QEMU's `-bios` on q35, in place of a guest. It has 64 KiB, the smallest size of firmware. */

const SIZE = 64 * 1024;
const word = (value: number): readonly number[] => [value & 255, (value >>> 8) & 255];
const long = (value: number): readonly number[] => [...word(value), ...word(value >>> 16)];
/** out dx, eax */
const out32 = (port: number, value: number): readonly number[] => [0xba, ...word(port), 0x66, 0xb8, ...long(value), 0x66, 0xef];
/** out dx, ax */
const out16 = (port: number, value: number): readonly number[] => [0xba, ...word(port), 0xb8, ...word(value), 0xef];

/** ICH9's ACPI registers at port 0x600, switched on; see its datasheet: PMBASE and ACPI_CNTL of the LPC bridge. */
const ACPI_ON: readonly number[] = [
  0xfa,
  ...out32(0xcf8, 0x8000_f840),
  ...out32(0xcfc, 0x601),
  ...out32(0xcf8, 0x8000_f844),
  ...out32(0xcfc, 0x80),
];
/** SLP_EN with the sleep type of S5, to PM1_CNT. */
const POWER_OFF: readonly number[] = out16(0x604, 0x2000);
/** hlt, in a loop. */
const HALT: readonly number[] = [0xf4, 0xeb, 0xfd];

function image(code: readonly number[]): Buffer {
  const bytes = Buffer.alloc(SIZE, 0xf4);
  Buffer.from(code).copy(bytes);
  // The reset vector: a jump to the image's first byte.
  Buffer.from([0xea, 0, 0, 0, 0xf0]).copy(bytes, SIZE - 16);
  return bytes;
}

/** Powers off as soon as it runs. */
export const POWERS_OFF: Buffer = image([...ACPI_ON, ...POWER_OFF, ...HALT]);

/** Waits for the power button (PM1_STS, bit 8), then powers off. A `shutdown` takes a few milliseconds. */
export const OBEYS_BUTTON: Buffer = image([
  ...ACPI_ON,
  ...out16(0x602, 0x100),
  0xba,
  ...word(0x600),
  0xf3,
  0x90,
  0xed,
  0xa9,
  ...word(0x100),
  0x74,
  0xf8,
  ...POWER_OFF,
  ...HALT,
]);
