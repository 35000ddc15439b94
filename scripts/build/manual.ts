import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verbs } from "../../src/cli/command.ts";
import { mainPage, verbPage } from "../../src/cli/manual/pages.ts";

/** Writes the manual pages into FOLDER/man/man1, as MANPATH has them. */
export async function buildManual(folder: string, version: string): Promise<void> {
  const pages = join(folder, "man", "man1");
  mkdirSync(pages, { recursive: true });
  const all = await Promise.all(Object.entries(verbs).map(async ([name, load]) => [name, (await load()).verb] as const));
  writeFileSync(join(pages, "qmpctl.1"), mainPage(all, version));
  for (const each of all) writeFileSync(join(pages, `qmpctl-${each[0]}.1`), await verbPage(each, version));
}
