/**
 * How many in-band commands may be with a QEMU of this major version at once. With one more it stops reading, out-of-band commands too.
 * Before 7.0 the eighth stops it already, if it arrives before QEMU has started the first.
 */
export function windowOf(major: number): number {
  return major < 7 ? 7 : 8;
}
