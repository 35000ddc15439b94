import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { collectionsFolder, installCollection } from "../../../src/cli/collection.ts";
import { COLLECTION } from "../../ansible/program.ts";
import { runProgram } from "../program.ts";

let folder = "";
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "qmpctl-collections-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

const PLACE = "ansible_collections/qmpctl/qemu";

/** All files beneath a folder, by their paths. */
async function filesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1))
    .sort();
}

describe("ansible install", () => {
  test("puts the collection there, replaces an older one whole, and leaves nothing beside it", async () => {
    const first = await runProgram(["ansible", "install", folder]);
    const path = join(folder, PLACE);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(/^qmpctl\.qemu \d+\.\d+\.\d+: installed in /);
    expect(first.stdout).toContain("ansible all -m qmpctl.qemu.domain_info");
    await writeFile(join(path, "galaxy.yml"), "namespace: qmpctl\nname: qemu\nversion: 0.0.9\n");
    await writeFile(join(path, "plugins/modules/old.js"), "");
    const again = await runProgram(["ansible", "install", folder, "--json"]);
    expect(JSON.parse(again.stdout)).toEqual({ name: "qmpctl.qemu", version: expect.any(String) as string, path, replaced: "0.0.9" });
    expect(await filesIn(folder)).toEqual((await filesIn(COLLECTION)).map((name) => join(PLACE, name)));
    expect(await readFile(join(path, "plugins/modules/domain.js"), "utf8")).toBe(
      await readFile(join(COLLECTION, "plugins/modules/domain.js"), "utf8"),
    );
  });

  test("takes one that ansible-galaxy put there for its own", async () => {
    await mkdir(join(folder, PLACE), { recursive: true });
    await writeFile(
      join(folder, PLACE, "MANIFEST.json"),
      '{"collection_info": {"namespace": "qmpctl", "name": "qemu", "version": "0.0.7"}}',
    );
    expect(await installCollection(COLLECTION, folder)).toMatchObject({ replaced: "0.0.7" });
    expect(await readdir(join(folder, PLACE))).not.toContain("MANIFEST.json");
  });

  test.each<[string, (path: string) => Promise<unknown>, string]>([
    ["a folder of somebody's", (path) => mkdir(path, { recursive: true }), "no collection qmpctl.qemu, and left alone"],
    [
      "another collection",
      async (path) => (
        await mkdir(path, { recursive: true }),
        writeFile(join(path, "galaxy.yml"), "namespace: other\nname: qemu\nversion: 1.0.0\n")
      ),
      "no collection qmpctl.qemu",
    ],
    [
      "a link",
      async (path) => (await mkdir(join(path, ".."), { recursive: true }), symlink(COLLECTION, path)),
      "a symbolic link, and left alone",
    ],
    ["a file", async (path) => (await mkdir(join(path, ".."), { recursive: true }), writeFile(path, "x")), "no folder, and left alone"],
  ])("refuses %s", async (_, make, why) => {
    await make(join(folder, PLACE));
    const before = await filesIn(folder);
    const { code, stdout, stderr } = await runProgram(["ansible", "install", folder]);
    expect([code, stdout, stderr]).toEqual([3, "", expect.stringContaining(why)]);
    expect(await filesIn(folder)).toEqual(before);
  });

  test("says what is in the way", async () => {
    await writeFile(join(folder, "file"), "");
    expect((await runProgram(["ansible", "install", join(folder, "file")])).stderr).toContain(`${folder}/file/${PLACE}: ENOTDIR`);
    expect(await runProgram(["ansible", "remove"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("remove: ansible can be told to install only") as string,
    });
    expect((await runProgram(["ansible", "install"])).stderr).toContain("DIR: missing, and HOME is not set");
  });

  test("without a folder it is where ansible-galaxy would put it", async () => {
    const home = { HOME: folder };
    await writeFile(join(folder, "file"), "");
    const { stdout } = await runProgram(["ansible", "install", "--json"], home);
    expect(JSON.parse(stdout)).toMatchObject({ path: join(folder, ".ansible/collections", PLACE), replaced: null });
    expect(collectionsFolder({ ...home, ANSIBLE_HOME: "/x" })).toBe("/x/collections");
    expect(collectionsFolder({ ...home, ANSIBLE_COLLECTIONS_PATH: `${folder}/file/x:~/own:${folder}` })).toBe(join(folder, "own"));
    expect(collectionsFolder({ ...home, ANSIBLE_COLLECTIONS_PATHS: folder })).toBe(folder);
    expect(collectionsFolder({})).toBeUndefined();
  });
});
