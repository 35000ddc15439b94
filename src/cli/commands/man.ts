import { existsSync } from "node:fs";
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
    const [about] = args.operands;
    const page = join(folder, "man1", about === undefined ? "qmpctl.1" : `qmpctl-${about}.1`);
    if (about !== undefined && (!/^[a-z-]+$/.test(about) || !existsSync(page)))
      throw misuse(`${about}: there is no such verb`, about, "a verb of qmpctl");
    const { showPage } = await import("../manual/show.ts");
    await showPage(page, about === undefined ? "qmpctl help" : `qmpctl help ${about}`);
    return EXIT.done;
  },
});
