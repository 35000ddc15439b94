import { ElsewhereError, misuse, type Option, optionsOf, type WayOf } from "./options.ts";
import type { Verb } from "./verb.ts";

/**
 * Moves the verb to the front: `--static setmem web1 500M` becomes `setmem --static web1 500M`. The options of all verbs tell the verb from
 * the value of an option. `isVerb` also knows the verbs of other programs.
 * @throws UsageError when a value is missing, when an option is another program's, or when there is no verb
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
    if (word === "--") throw misuse("--: write the verb before it", word, "VERB");
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

/** All options by their spelling, with dashes. */
function spelled(verbs: readonly Verb[]): ReadonlyMap<string, Option> {
  const options = new Map<string, Option>();
  for (const [name, option] of verbs.flatMap((verb) => Object.entries(optionsOf(verb)))) {
    options.set(`--${name}`, option);
    if (option.short !== undefined) options.set(`-${option.short}`, option);
  }
  return options;
}
