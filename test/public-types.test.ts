import { expect, test } from "vitest";
import { publicTypes } from "./public-types.ts";

const DIST = new URL("../dist", import.meta.url).pathname;

/**
 * What others compile against: a name, a member or a signature that changes is a line in CHANGELOG.md, and is accepted by `npm test --
 * test/public-types.test.ts -u`, which builds dist/ first.
 */
test.each([
  ["qmpctl", "index.d.ts", "public-types/index.txt"],
  ["qmpctl/testing", "testing/index.d.ts", "public-types/testing.txt"],
])("the public types of %s are as they are written down", async (_, entry, written) => {
  await expect(await publicTypes(DIST, entry)).toMatchFileSnapshot(written);
});
