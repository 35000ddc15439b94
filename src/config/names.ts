import { UsageError } from "../errors.ts";

/**
 * The longest name. It becomes a file name, part of socket paths (at most 107 bytes), and QEMU's guest name. With 60, the sockets in the
 * usual run-time folders fit for every user.
 */
export const LENGTH = 60;
/** What a domain's name looks like, besides its length. */
export const NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

/** The rule for a domain's name, in words. */
export const NAME_RULE: string = `letters, digits, ".", "_", "+" and "-", a letter or digit first, ${LENGTH} at most, not ending in .json`;

/** Whether a text can be a domain's name: one that is safe as a file name and as a word of QEMU's command line. */
export function isName(text: string): boolean {
  return text.length <= LENGTH && NAME.test(text) && !text.endsWith(".json");
}

/**
 * Returns a domain's name as it is.
 *
 * @throws UsageError, with the rule, when it is not a domain's name
 */
export function checkName(text: string): string {
  if (isName(text)) return text;
  const shown = text.length > LENGTH ? `${JSON.stringify(text.slice(0, 20))}… (${text.length} characters)` : JSON.stringify(text);
  throw new UsageError(`name ${shown}: not a domain's name`, { value: text, expected: NAME_RULE });
}
