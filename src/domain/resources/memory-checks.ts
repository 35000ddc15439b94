import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";

/** Checks a size in bytes: whole pages, and something. `what` names it in the error. */
export function checkSize(what: string, size: number, unit: number, expected: string): void {
  if (Number.isSafeInteger(size) && size > 0 && size % unit === 0) return;
  throw new UsageError(`${what} ${size} bytes: not ${expected}`, { value: size, expected });
}

/** Whether a config's command line has a balloon, as far as its words tell (a file named by -readconfig may have one too). */
export function hasBalloon(config: LaunchConfig): boolean {
  return config.args.some((word) => /virtio-balloon/.test(word) || /^--?readconfig$/.test(word));
}
