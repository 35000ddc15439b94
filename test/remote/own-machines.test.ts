import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Facade } from "../../src/domain/facade.ts";
import { ownMachines } from "../../src/remote/own-machines.ts";

const SOMEBODY = 65534;
/** Whom no list of users knows. */
const NOBODY = 987_654;

test("root over one connection works on root's machines, and says of another user's whose they are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qmpctl-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const configs = join(folder, "config");
  mkdirSync(configs);
  writeFileSync(join(configs, "web1.json"), "{}");
  if (process.geteuid?.() === 0) for (const path of [configs, join(configs, "web1.json")]) chownSync(path, SOMEBODY, SOMEBODY);
  const asked: string[] = [];
  const host = { open: async (name: string) => void asked.push(name), list: async () => void asked.push("list") } as unknown as Facade;
  const env = { QMPCTL_CONFIG_DIR: configs, QMPCTL_RUNTIME_DIR: folder, QMPCTL_STATE_DIR: folder };
  const root = ownMachines(host, { uid: 0, env });
  await expect(root.open("web1")).rejects.toThrow(/^web1: belongs to the user (\w+), and is worked on as that user: ssh:\/\/\1@HOST$/);
  await expect(root.list({})).rejects.toThrow("the folder of the configs: belongs to the user");
  if (process.geteuid?.() === 0) {
    chownSync(join(configs, "web1.json"), NOBODY, NOBODY);
    await expect(root.open("web1")).rejects.toThrow(
      `web1: belongs to the user with id ${NOBODY}, and is worked on as that user: ssh://USER@HOST`,
    );
  }
  expect(asked).toEqual([]);
  const owner = ownMachines(host, { uid: SOMEBODY, env });
  await owner.open("web1");
  await owner.list({});
  // Nobody's yet: opening it says what is wrong.
  await root.open("none");
  expect(asked).toEqual(["web1", "list", "none"]);
});
