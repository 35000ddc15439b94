#!/usr/bin/env -S npx tsx
/**
 * Writes the pages of reference: what the config, the answers and the library have, from the code that has it. `npm run build` comes first.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { references } from "./reference/pages.ts";

const project = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
for (const [page, make] of Object.entries(references)) await writeFile(project(page), await make(project("dist")));
