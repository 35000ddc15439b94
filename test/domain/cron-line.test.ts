import { expect, test } from "vitest";
import { foldersOf } from "../../src/config/folders.ts";
import { variablesFor } from "../../src/domain/model/cron-line.ts";

test("a line for cron names the folders that only this shell's variables name", () => {
  const { runtime, state } = foldersOf({});
  expect(variablesFor(foldersOf({}))).toBe("");
  expect(variablesFor({ config: "/a b", runtime, state })).toBe("QMPCTL_CONFIG_DIR='/a b' ");
  expect(variablesFor({ config: "/a", runtime: "/r", state: "/s" })).toBe(
    "QMPCTL_CONFIG_DIR=/a QMPCTL_RUNTIME_DIR=/r QMPCTL_STATE_DIR=/s ",
  );
});
