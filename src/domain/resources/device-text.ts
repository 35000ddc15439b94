import { type DeviceWords, readDeviceWords, wordsOf } from "../../config/device-words-text.ts";
import { shellWord } from "../model/format.ts";

/** What stands for a device that is not there. */
export const ABSENT = "absent";

/** The words of a device in one text, as a shell reads them: what it uses first. */
export function deviceText(words: Pick<DeviceWords, "device" | "backends">): string {
  return wordsOf(words).map(shellWord).join(" ");
}

/** Reads such a text. @throws UsageError when it is no device */
export function readDeviceText(text: string): DeviceWords {
  const words = [...text.matchAll(/(?:'[^']*'|\\'|[^\s'\\]|\\)+/g)].map(([word]) => word.replace(/'([^']*)'|\\(')/g, "$1$2"));
  return readDeviceWords(words);
}
