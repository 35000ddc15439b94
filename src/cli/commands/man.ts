import { readdirSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

declare const __dirname: string;

export const verb: Verb = defineVerb({
  usage: ["man [VERB]"],
  summary: "show the manual page of a verb, or of qmpctl",
  details: [
    "The pages are files of this package, and the program man shows them. Where npm has installed it for all users (-g), man qmpctl and man qmpctl-setmem find them by themselves; elsewhere --path prints the folder for MANPATH.",
  ],
  examples: [
    ["man setmem", "the page of setmem, as man qmpctl-setmem shows it where MANPATH has it"],
    ["man --path", "the folder for MANPATH"],
  ],
  options: { path: { about: "print the folder of the pages, and show none" } },
  operands: { names: ["VERB"], required: 0 },
  async run({ args, io }) {
    const folder = join(__dirname, "../man");
    if (args.flag("path")) {
      io.stdout.write(`${folder}\n`);
      return EXIT.done;
    }
    const pages = join(folder, "man1");
    const about = args.operands[0] === undefined ? undefined : await verbNamed(args.operands[0], pages);
    const page = join(pages, about === undefined ? "qmpctl.1" : `qmpctl-${about}.1`);
    const { showPage } = await import("../manual/show.ts");
    await showPage(page, about === undefined ? "qmpctl help" : `qmpctl help ${about}`);
    return EXIT.done;
  },
});

/** The verb that has a page, also by another program's word for it. @throws UsageError with the nearest one */
async function verbNamed(word: string, pages: string): Promise<string> {
  const { aliases } = await import("../aliases.ts");
  const verb = Object.hasOwn(aliases, word) ? (aliases[word]?.verb ?? word) : word.replace(/^qmpctl-/, "");
  const names = readdirSync(pages).flatMap((file) => /^qmpctl-([a-z-]+)\.1$/.exec(file)?.[1] ?? []);
  if (names.includes(verb)) return verb;
  const near = (await import("../../nearest.ts")).nearest(word, [...names, ...Object.keys(aliases)]);
  throw misuse(
    `${word}: there is no such verb${near === undefined ? "" : `, did you mean ${near}?`}`,
    word,
    "a verb of qmpctl: qmpctl help lists them",
  );
}
