import { copyFile, link, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { locate } from "../../../src/config/locate.ts";
import { isMachineId } from "../../../src/config/mark.ts";
import { readConfig, type Stored } from "../../../src/config/store.ts";
import { isSameFile, machineIdOf } from "../../../src/domain/machine/machine-id.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolder, ownFolders } from "../../config/folder.ts";

const ID = "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b";

async function stored(folder: string, changes: Readonly<Record<string, unknown>> = {}, name = "web1"): Promise<Stored> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), configText({ name, ...changes }), { mode: 0o600 });
  return readConfig(await locate(join(folder, `${name}.json`), await ownFolders()));
}

describe("who the machine of a config is", () => {
  test("is said by its key `id`, wherever the file is", async () => {
    expect(await machineIdOf(await stored(await ownFolder(), { id: ID }))).toBe(ID);
    expect(await machineIdOf(await stored(await ownFolder(), { id: ID }, "other"))).toBe(ID);
  });

  test("is told by its place where it has none: the same after an edit, and by every spelling", async () => {
    const folder = await ownFolder();
    const config = await stored(join(folder, "etc"));
    const id = await machineIdOf(config);
    expect(isMachineId(id)).toBe(true);
    expect(await machineIdOf(await stored(join(folder, "etc"), { vcpus: { max: 2, current: 2 } }))).toBe(id);
    await symlink(join(folder, "etc"), join(folder, "link"));
    expect(await machineIdOf({ ...config, path: join(folder, "link", "web1.json") })).toBe(id);
    await rename(join(folder, "etc"), join(folder, "moved"));
    expect(await machineIdOf({ ...config, path: join(folder, "moved", "web1.json") })).toBe(id);
  });

  test("differs for another file of the folder, and for the same name in another", async () => {
    const folder = await ownFolder();
    const ids = await Promise.all(
      [stored(join(folder, "a")), stored(join(folder, "a"), {}, "web2"), stored(join(folder, "b"))].map(async (each) =>
        machineIdOf(await each),
      ),
    );
    expect(new Set(ids).size).toBe(3);
  });
});

describe("the same file", () => {
  test("is so by any path that leads there, and no copy of it is", async () => {
    const folder = await ownFolder();
    const path = join(folder, "a");
    await writeFile(path, "");
    await symlink(path, join(folder, "link"));
    await link(path, join(folder, "hard"));
    await copyFile(path, join(folder, "copy"));
    for (const other of [path, `${folder}/./a`, join(folder, "link"), join(folder, "hard")])
      expect(await isSameFile(path, other)).toBe(true);
    for (const other of [join(folder, "copy"), join(folder, "none"), ""]) expect(await isSameFile(path, other)).toBe(false);
    // What is not there is at least itself.
    expect(await isSameFile(join(folder, "none"), join(folder, "none"))).toBe(true);
    expect(await isSameFile(join(folder, "none"), join(folder, "neither"))).toBe(false);
  });
});
