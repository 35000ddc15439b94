import { geteuid } from "node:process";
import { expect, test } from "vitest";
import { ownUid, ownUser } from "../../src/config/own-user.ts";

test("files of ours belong to whom the system takes us for, and there is always a home", () => {
  expect(ownUid()).toBe(geteuid?.());
  expect(ownUser.uid).toBe(ownUid());
  expect(ownUser.homedir).toMatch(/^\//);
});
