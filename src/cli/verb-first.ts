import { ElsewhereError, misuse, type Option, optionsOf, type WayOf } from "./options.ts";
import type { Verb } from "./verb.ts";

/**
 * A command line with its verb in front: `--static setmem web1 500M` is `setmem --static web1 500M`. Which word is the verb, and which
 * an option's value, is known from the options of all verbs; `isVerb` knows also those of other programs.
 * @throws UsageError where an option's value is missing, for an option of another program, and where no verb is there
 */
export async function verbFirst(
  argv: readonly string[],
  verbs: readonly Verb[],
  isVerb: (word: string) => boolean,
  wayOf: WayOf,
): Promise<readonly string[]> {
  const options = spelled(verbs);
  let at = 0;
  for (let word = argv[at]; word !== undefined && word.startsWith("-"); word = argv[at]) {
    if (word === "--") throw misuse("--: a verb has to come before it", word, "VERB");
    const [name = ""] = word.split("=");
    const option = options.get(name);
    const way = option === undefined ? await wayOf(name.replace(/^-+/, "")) : undefined;
    if (way !== undefined) throw new ElsewhereError(name, "option", way);
    const takes = option?.value !== undefined && !word.includes("=");
    const value = argv[at + 1];
    if (takes && (value === undefined || isVerb(value))) throw misuse(`${word}: a value is missing`, value, `${word} ${option.value}`);
    at += takes ? 2 : 1;
  }
  const verb = argv[at];
  if (verb === undefined) throw misuse(`${argv.join(" ")}: a verb is missing`, "", "VERB");
  return [verb, ...argv.slice(0, at), ...argv.slice(at + 1)];
}

/** All options by how they are written, with their dashes. */
function spelled(verbs: readonly Verb[]): ReadonlyMap<string, Option> {
  const options = new Map<string, Option>();
  for (const [name, option] of verbs.flatMap((verb) => Object.entries(optionsOf(verb)))) {
    options.set(`--${name}`, option);
    if (option.short !== undefined) options.set(`-${option.short}`, option);
  }
  return options;
}
