import { answersPage } from "./answers.ts";
import { comingFromPage } from "./coming-from.ts";
import { configPage } from "./config.ts";
import { libraryPage } from "./library.ts";

/** The pages of reference, and how each is made; from `dist`, where it is about types. */
export const references: Readonly<Record<string, (dist: string) => string | Promise<string>>> = {
  "src/config/CONFIG.md": configPage,
  "src/cli/schema/ANSWERS.md": answersPage,
  "src/cli/COMING-FROM.md": comingFromPage,
  "src/API.md": libraryPage,
};
