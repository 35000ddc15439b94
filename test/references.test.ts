import { join } from "node:path";
import { expect, test } from "vitest";
import { references } from "../scripts/reference/pages.ts";

const PROJECT = new URL("..", import.meta.url).pathname;

/**
 * Pages that are made of the code can't say something else than it. Who changes a key, an answer or a public type writes them anew:
 * `npm run reference`, or `npm test -- test/references.test.ts -u`.
 */
test.each(Object.entries(references))("%s is as it is made", async (page, make) => {
  await expect(await make(join(PROJECT, "dist"))).toMatchFileSnapshot(join(PROJECT, page));
});
