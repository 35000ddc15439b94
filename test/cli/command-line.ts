import { plainWords } from "../../scripts/pages/words.ts";
import { aliases } from "../../src/cli/aliases.ts";
import { verbs } from "../../src/cli/command.ts";
import { withoutFleetWords, withoutHost } from "../../src/cli/elsewhere.ts";
import { parseArguments } from "../../src/cli/options.ts";

/**
 * What the program would refuse in a command line as somebody wrote it, with placeholders and the ends of pipes: a verb or an option that
 * there is not, operands that are too few or too many. Undefined: nothing.
 */
export async function faultOfLine(line: string): Promise<string | undefined> {
  const faults = await Promise.all(
    line
      .replace(/ +#.*$/, "")
      .split(/ (?:\||&&|>>?|<) /)
      .filter((part) => part.startsWith("qmpctl"))
      .map(faultOfOne),
  );
  return faults.find((fault) => fault !== undefined);
}

async function faultOfOne(line: string): Promise<string | undefined> {
  // What is left out, and what may be one thing or another, is no word.
  const words = plainWords(
    line
      .replaceAll("[…]", "LIST")
      .replaceAll(/ …|\.\.\.$/g, "")
      .replaceAll(/\[[A-Z-]+[^\]]*\]|\[--[^\]]*\]/g, ""),
  )?.slice(1);
  if (words === undefined) return "a line that is not understood";
  const { argv } = withoutHost(words, undefined);
  const [first = "", ...rest] = argv;
  if (first === "" || /^(VERB|help|version|--help|--version|__complete)$/.test(first)) return undefined;
  const alias = Object.hasOwn(aliases, first) ? aliases[first] : undefined;
  const load = verbs[alias?.verb ?? first];
  if (load === undefined) return `${first}: there is no such verb`;
  const { verb } = await load();
  const dropped = new Set(alias?.drops?.map((flag) => `--${flag}`));
  const own = withoutFleetWords(
    rest.filter((word) => !dropped.has(word)),
    {},
  ).words;
  // A verb that is only named, in a sentence.
  if (own.length === 0) return undefined;
  return parseArguments(own, verb).then(
    () => undefined,
    (error: Error) => error.message,
  );
}
