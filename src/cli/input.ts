import { misuse } from "./options.ts";
import type { Io } from "./verb.ts";

/** More than any text needs that we read, in UTF-16 units. */
const INPUT_LIMIT = 1024 * 1024;

/** All of standard input. @throws UsageError for one that is too long to be what is wanted */
export async function readInput(stdin: Io["stdin"], what = "text"): Promise<string> {
  let text = "";
  for await (const chunk of stdin.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > INPUT_LIMIT)
      throw misuse(`standard input: longer than ${INPUT_LIMIT} characters, the most that ${what} may have`, text.length, "a short text");
  }
  return text;
}
